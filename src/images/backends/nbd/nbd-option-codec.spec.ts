import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  greeting,
  infoBlockSize,
  infoExport,
  metaContext,
  optionReply,
} from '../../../../test/nbd/server-messages.js';
import { NbdConnectionError, NbdProtocolError } from './nbd-errors.js';
import {
  decodeBlockSizes,
  decodeGreeting,
  decodeInfoExport,
  decodeInfoType,
  decodeMetaContext,
  decodeOptionReplyHeader,
  encodeGo,
  encodeMetaContextQueries,
  encodeOption,
} from './nbd-option-codec.js';

describe('NBD handshake codec', () => {
  test('reads the flags of a newstyle greeting', () => {
    assert.equal(decodeGreeting(greeting(3)), 3);
  });

  test('tells an oldstyle server from one that speaks something else', () => {
    const oldstyle = Buffer.from('4e42444d41474943' + '0000420281861253' + '0000', 'hex');
    assert.throws(() => decodeGreeting(oldstyle), { name: 'NbdConnectionError', message: /oldstyle/ });
    assert.throws(() => decodeGreeting(Buffer.from('SSH-2.0-OpenSSH_9.9')), NbdProtocolError);
    assert.throws(() => decodeGreeting(Buffer.from('NBDMAGICNBDMAGIC\0\0')), NbdProtocolError);
  });

  test('encodes NBD_OPT_GO with the block size request byte for byte', () => {
    assert.equal(
      encodeOption('go', encodeGo('é')).toString('hex'),
      Buffer.from('IHAVEOPT').toString('hex') +
        '00000007' +
        '0000000a' +
        '00000002' +
        'c3a9' +
        '0001' +
        '0003',
    );
  });

  test('encodes meta context queries byte for byte', () => {
    assert.equal(
      encodeMetaContextQueries('x', ['a:', 'bc']).toString('hex'),
      '00000001' + '78' + '00000002' + '00000002' + '613a' + '00000002' + '6263',
    );
  });

  test('decodes the header of an option reply', () => {
    const bytes = optionReply(7, 0x80000006, Buffer.from('no'));
    assert.deepEqual(decodeOptionReplyHeader('go', bytes), {
      type: 0x80000006,
      isError: true,
      payloadBytes: 2,
    });
  });

  test('refuses option replies with bad magic, to another option, or too long', () => {
    const bytes = optionReply(7, 1);
    const bad = Buffer.from(bytes).fill(0, 0, 1).fill(1, 1, 2);
    assert.throws(() => decodeOptionReplyHeader('go', bad), NbdProtocolError);
    assert.throws(() => decodeOptionReplyHeader('structuredReply', bytes), NbdProtocolError);
    assert.throws(
      () => decodeOptionReplyHeader('go', optionReply(7, 1, Buffer.alloc(8193))),
      NbdProtocolError,
    );
  });

  test('decodes what NBD_OPT_GO tells', () => {
    assert.equal(decodeInfoType(infoBlockSize(1, 4096, 65536)), 3);
    assert.deepEqual(decodeInfoExport(infoExport(2 ** 40, 5)), { sizeBytes: 2 ** 40, flags: 5 });
    assert.deepEqual(decodeBlockSizes(infoBlockSize(512, 4096, 65536)), {
      minimumBytes: 512,
      maximumBytes: 65536,
    });
    assert.deepEqual(decodeMetaContext(metaContext(9, 'base:allocation')), {
      id: 9,
      name: 'base:allocation',
    });
  });

  test('refuses an export larger than a number can count', () => {
    assert.throws(() => decodeInfoExport(infoExport(2n ** 53n)), NbdConnectionError);
  });

  for (const [minimum, maximum] of [
    [0, 65536],
    [3, 65536],
    [131072, 2 ** 25],
    [4096, 512],
    [2 ** 31, 2 ** 32 - 1],
  ] as const) {
    test(`refuses block sizes from ${minimum} to ${maximum}`, () => {
      assert.throws(() => decodeBlockSizes(infoBlockSize(minimum, 4096, maximum)), NbdProtocolError);
    });
  }

  test('refuses replies too short for their content', () => {
    assert.throws(() => decodeInfoType(Buffer.alloc(1)), NbdProtocolError);
    assert.throws(() => decodeInfoExport(infoExport(1).subarray(0, 11)), NbdProtocolError);
    assert.throws(() => decodeBlockSizes(infoBlockSize(1, 1, 1).subarray(0, 13)), NbdProtocolError);
    assert.throws(() => decodeMetaContext(Buffer.alloc(4)), NbdProtocolError);
  });
});
