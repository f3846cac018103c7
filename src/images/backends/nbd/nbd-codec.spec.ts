import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  chunk,
  errorChunk,
  errorOffsetChunk,
  simpleReply,
  u64,
} from '../../../../test/nbd/server-messages.js';
import {
  chunkHeaderBytes,
  decodeChunkHeader,
  decodeErrorChunk,
  decodeSimpleReply,
  encodeRequest,
  errorName,
  isChunk,
  noHoleFlag,
  readUint64,
} from './nbd-codec.js';
import { NbdProtocolError } from './nbd-errors.js';

describe('NBD transmission codec', () => {
  test('encodes a request byte for byte', () => {
    const request = encodeRequest({
      command: 'writeZeroes',
      flags: noHoleFlag,
      cookie: 0x1_0000_0002,
      offsetBytes: 2 ** 40 + 512,
      lengthBytes: 2 ** 32 - 1,
    });
    assert.equal(
      request.toString('hex'),
      '25609513' + '0002' + '0006' + '0000000100000002' + '0000010000000200' + 'ffffffff',
    );
  });

  test('decodes a simple reply', () => {
    const reply = simpleReply(2 ** 40 + 7, 5);
    assert.equal(isChunk(reply), false);
    assert.deepEqual(decodeSimpleReply(reply), { error: 5, cookie: 2 ** 40 + 7 });
  });

  test('decodes the header of a chunk', () => {
    const bytes = chunk(77, 0x8002, Buffer.alloc(9), true);
    assert.equal(isChunk(bytes), true);
    assert.deepEqual(decodeChunkHeader(bytes), {
      type: 0x8002,
      done: true,
      isError: true,
      cookie: 77,
      payloadBytes: 9,
    });
  });

  test('refuses a reply that begins with anything but a reply magic', () => {
    assert.throws(() => isChunk(Buffer.from('HTTP/1.1 400 Bad')), NbdProtocolError);
  });

  test('takes no cookie beyond 2^53 for one of ours', () => {
    const reply = Buffer.concat([simpleReply(0).subarray(0, 8), u64(2n ** 64n - 1n)]);
    assert.ok(decodeSimpleReply(reply).cookie > Number.MAX_SAFE_INTEGER);
  });

  test('reads 64-bit numbers up to 2^53 - 1 and refuses the next', () => {
    assert.equal(readUint64(u64(2n ** 53n - 1n), 0), Number.MAX_SAFE_INTEGER);
    assert.throws(() => readUint64(u64(2n ** 53n), 0), NbdProtocolError);
  });

  test('decodes error chunks with and without an offset', () => {
    const payload = errorChunk(1, 28, 'disk full').subarray(chunkHeaderBytes);
    assert.deepEqual(decodeErrorChunk(0x8001, payload), { error: 28, message: 'disk full' });
    const withOffset = errorOffsetChunk(1, 5, 4096).subarray(chunkHeaderBytes);
    assert.deepEqual(decodeErrorChunk(0x8002, withOffset), { error: 5, message: '' });
  });

  test('refuses error chunks that are too short for what they announce', () => {
    const payload = errorChunk(1, 28, 'disk full').subarray(chunkHeaderBytes, -1);
    assert.throws(() => decodeErrorChunk(0x8001, payload), NbdProtocolError);
    const withoutOffset = errorChunk(1, 28).subarray(chunkHeaderBytes);
    assert.throws(() => decodeErrorChunk(0x8002, withoutOffset), NbdProtocolError);
  });

  test('refuses an error chunk that reports no error', () => {
    assert.throws(
      () => decodeErrorChunk(0x8001, errorChunk(1, 0).subarray(chunkHeaderBytes)),
      NbdProtocolError,
    );
  });

  test('names errors, and takes unknown ones for EINVAL as the protocol wants', () => {
    assert.equal(errorName(28), 'ENOSPC');
    assert.equal(errorName(12345), 'EINVAL');
  });
});
