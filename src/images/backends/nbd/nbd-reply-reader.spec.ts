import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import {
  chunk,
  dataChunk,
  errorChunk,
  errorOffsetChunk,
  holeChunk,
  noneChunk,
  simpleReply,
  statusChunk,
} from '../../../../test/nbd/server-messages.js';
import { NoSpaceError } from '../../../base/errors.js';
import { NbdProtocolError, NbdRequestError } from './nbd-errors.js';
import { PendingRequest, type RequestOptions } from './nbd-pending-request.js';
import { NbdReplyReader } from './nbd-reply-reader.js';

/** A reader with requests that have the cookies 1, 2, … */
function readerFor({ structured = true }: { structured?: boolean }, ...requests: readonly RequestOptions[]) {
  const pending = new Map(requests.map((options, index) => [index + 1, new PendingRequest(options)]));
  const all = [...pending.values()];
  for (const request of all) request.settled.catch(() => undefined);
  return { reader: new NbdReplyReader(pending, structured), pending, requests: all };
}

function readOf(lengthBytes: number, offsetBytes = 0): RequestOptions & { readonly target: Uint8Array } {
  return {
    command: 'read',
    range: { offsetBytes, lengthBytes },
    target: new Uint8Array(lengthBytes).fill(0xee),
  };
}

const writeOf = (lengthBytes: number): RequestOptions => ({
  command: 'write',
  range: { offsetBytes: 0, lengthBytes },
});
const statusOf = (...contextIds: readonly number[]): RequestOptions => ({
  command: 'blockStatus',
  range: { offsetBytes: 0, lengthBytes: 4096 },
  contextIds,
});

/**
 * Hands bytes over as a socket does: straight to the target when the reader names one,
 * else through `consume`.
 */
function receive(reader: NbdReplyReader, bytes: Buffer): void {
  let rest = bytes;
  while (rest.length > 0) {
    const target = reader.directTarget();
    if (target === undefined) {
      const piece = rest.subarray(0, 1000);
      reader.consume(piece);
      rest = rest.subarray(piece.length);
    } else {
      const count = Math.min(target.length, rest.length, 5000);
      target.set(rest.subarray(0, count));
      reader.filled(count);
      rest = rest.subarray(count);
    }
  }
}

const pattern = (lengthBytes: number): Buffer =>
  Buffer.from(Array.from({ length: lengthBytes }, (_, at) => (at * 7) & 0xff));

describe('NBD reply reader', () => {
  test('fills a read from a simple reply, however the bytes arrive', async () => {
    const data = pattern(100_000);
    for (const hand of [
      receive,
      (reader: NbdReplyReader, bytes: Buffer) => {
        reader.consume(bytes);
      },
    ]) {
      const read = readOf(data.length);
      const { reader, requests, pending } = readerFor({ structured: false }, read);
      hand(reader, simpleReply(1, 0, data));
      await requests[0]!.settled;
      assert.deepEqual(Buffer.from(read.target), data);
      assert.equal(pending.size, 0);
    }
  });

  test('puts chunks of data and holes of two reads in place, in any order and cut anywhere', async () => {
    const data = pattern(4000);
    data.fill(0, 1000, 2000);
    const order = fc.shuffledSubarray(
      [1, 2].flatMap((cookie) =>
        [
          (done: boolean) => dataChunk(cookie, 500, data.subarray(0, 1000), done),
          (done: boolean) => holeChunk(cookie, 1500, 1000, done),
          (done: boolean) => dataChunk(cookie, 2500, data.subarray(2000, 3999), done),
          (done: boolean) => dataChunk(cookie, 4499, data.subarray(3999), done),
        ].map((encode) => ({ cookie, encode })),
      ),
      { minLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(
        order,
        fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1 }),
        async (chunks, sizes) => {
          const reads = [readOf(4000, 500), readOf(4000, 500)];
          const { reader, requests } = readerFor({}, ...reads);
          const bytes = Buffer.concat(
            chunks.map(({ cookie, encode }, at) =>
              encode(!chunks.slice(at + 1).some((later) => later.cookie === cookie)),
            ),
          );
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length]!;
            reader.consume(bytes.subarray(at, at + size));
            at += size;
          }
          await Promise.all(requests.map((request) => request.settled));
          for (const { target } of reads) assert.deepEqual(Buffer.from(target), data);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('fails only the request that an error reply is for', async () => {
    const { reader, requests, pending } = readerFor({}, writeOf(10), writeOf(10), readOf(10), readOf(10));
    reader.consume(
      Buffer.concat([
        simpleReply(1, 5),
        errorChunk(2, 28, 'no room'),
        simpleReply(3, 1),
        errorOffsetChunk(4, 5, 3),
      ]),
    );
    await assert.rejects(requests[0]!.settled, { name: 'NbdRequestError', errorName: 'EIO' });
    await assert.rejects(requests[1]!.settled, (error: Error) => {
      assert.ok(error instanceof NoSpaceError);
      assert.ok(error.cause instanceof NbdRequestError);
      assert.equal(String(error.cause.cause), 'Error: no room');
      return true;
    });
    await assert.rejects(requests[2]!.settled, { errorName: 'EPERM' });
    await assert.rejects(requests[3]!.settled, { errorName: 'EIO' });
    assert.equal(pending.size, 0);
  });

  test('fails a read at its last chunk when an earlier one was an error', async () => {
    const { reader, requests, pending } = readerFor({}, readOf(10));
    reader.consume(errorOffsetChunk(1, 5, 3, false));
    assert.equal(pending.size, 1);
    reader.consume(dataChunk(1, 0, Buffer.alloc(3), true));
    await assert.rejects(requests[0]!.settled, { errorName: 'EIO' });
  });

  test('returns the block status of each context', async () => {
    const { reader, requests } = readerFor({}, statusOf(3, 4));
    reader.consume(
      Buffer.concat([
        statusChunk(1, 4, [[4096, 1]]),
        statusChunk(
          1,
          3,
          [
            [1024, 3],
            [3072, 0],
          ],
          true,
        ),
      ]),
    );
    const status = await requests[0]!.settled;
    assert.equal(status.get(4)!.toString('hex'), '0000100000000001');
    assert.equal(status.get(3)!.length, 16);
  });

  test('accepts an end without data for a write', async () => {
    const { reader, requests } = readerFor({}, writeOf(10));
    reader.consume(noneChunk(1));
    await requests[0]!.settled;
  });

  const broken: readonly (readonly [string, readonly RequestOptions[], Buffer])[] = [
    ['garbage', [readOf(10)], Buffer.alloc(16, 0x41)],
    ['a reply to no request', [readOf(10)], simpleReply(2)],
    ['a second reply to one request', [writeOf(10)], Buffer.concat([simpleReply(1), simpleReply(1)])],
    [
      'a simple reply with data though structured was agreed',
      [readOf(10)],
      simpleReply(1, 0, Buffer.alloc(10)),
    ],
    ['a simple success without the block status asked for', [statusOf(1)], simpleReply(1)],
    ['more data than asked for', [readOf(10)], dataChunk(1, 0, Buffer.alloc(11), true)],
    ['data before the range', [readOf(10, 5)], dataChunk(1, 4, Buffer.alloc(5), true)],
    ['data past the range', [readOf(10)], dataChunk(1, 6, Buffer.alloc(5), true)],
    ['a chunk without data', [readOf(10)], dataChunk(1, 0, Buffer.alloc(0), true)],
    [
      'the same data twice',
      [readOf(10)],
      Buffer.concat([dataChunk(1, 0, Buffer.alloc(5)), dataChunk(1, 4, Buffer.alloc(5), true)]),
    ],
    ['less data than asked for', [readOf(10)], dataChunk(1, 0, Buffer.alloc(9), true)],
    ['an end before any data', [readOf(10)], noneChunk(1)],
    ['a hole past the range', [readOf(10)], holeChunk(1, 5, 6, true)],
    ['a hole of no length', [readOf(10)], holeChunk(1, 5, 0, true)],
    ['a hole chunk of a wrong length', [readOf(10)], chunk(1, 2, Buffer.alloc(11), true)],
    ['data for a write', [writeOf(10)], dataChunk(1, 0, Buffer.alloc(5), true)],
    ['block status for a read', [readOf(10)], statusChunk(1, 1, [[10, 0]], true)],
    ['block status of an unasked context', [statusOf(1)], statusChunk(1, 2, [[10, 0]], true)],
    [
      'block status of a context twice',
      [statusOf(1)],
      Buffer.concat([statusChunk(1, 1, [[10, 0]]), statusChunk(1, 1, [[10, 0]], true)]),
    ],
    ['block status without all contexts', [statusOf(1, 2)], statusChunk(1, 1, [[10, 0]], true)],
    ['block status of no extents', [statusOf(1)], statusChunk(1, 1, [], true)],
    ['block status of half an extent', [statusOf(1)], chunk(1, 5, Buffer.alloc(8), true)],
    ['an empty chunk that is not the last', [writeOf(10)], chunk(1, 0, Buffer.alloc(0), false)],
    ['an empty chunk that is not empty', [writeOf(10)], chunk(1, 0, Buffer.alloc(1), true)],
    ['an unknown chunk type', [readOf(10)], chunk(1, 77, Buffer.alloc(1), true)],
    ['an error chunk too short', [readOf(10)], chunk(1, 0x8001, Buffer.alloc(5), true)],
    ['an error chunk too long', [readOf(10)], chunk(1, 0x8001, Buffer.alloc(5000), true)],
  ];
  for (const [what, requests, bytes] of broken) {
    test(`refuses ${what}`, () => {
      const { reader } = readerFor({}, ...requests);
      assert.throws(() => {
        reader.consume(bytes);
      }, NbdProtocolError);
    });
  }

  test('refuses a structured reply that was not negotiated', () => {
    const { reader } = readerFor({ structured: false }, readOf(10));
    assert.throws(() => {
      reader.consume(dataChunk(1, 0, Buffer.alloc(10), true));
    }, NbdProtocolError);
  });

  test('refuses lengths that the server only announces, before it would have to keep anything', () => {
    for (const [type, request] of [
      [1, readOf(10)],
      [2, readOf(10)],
      [5, statusOf(1)],
      [0x8001, readOf(10)],
    ] as const) {
      const header = chunk(1, type, Buffer.alloc(0), true);
      header.writeUInt32BE(0xffff_fffc, 16);
      const { reader } = readerFor({}, request);
      assert.throws(() => {
        reader.consume(header);
      }, NbdProtocolError);
    }
  });

  test('survives spoilt replies: they fail as a protocol error, or they are answers', () => {
    const replies = Buffer.concat([
      dataChunk(1, 0, pattern(300)),
      holeChunk(1, 300, 212, true),
      statusChunk(
        2,
        1,
        [
          [1024, 3],
          [3072, 0],
        ],
        true,
      ),
      errorChunk(3, 28, 'no room'),
      simpleReply(4),
    ]);
    const spoil = fc.array(fc.tuple(fc.nat(replies.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(spoil, fc.nat(replies.length), (changes, cutAt) => {
        const { reader } = readerFor({}, readOf(512), statusOf(1), writeOf(10), writeOf(10));
        const bytes = Buffer.from(replies);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          reader.consume(bytes.subarray(0, cutAt));
          reader.consume(bytes.subarray(cutAt));
        } catch (error) {
          assert.ok(error instanceof NbdProtocolError, String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});
