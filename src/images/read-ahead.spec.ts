import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { MemoryBackend } from '../../test/fixtures/memory-backend.js';
import { StorageError } from '../errors.js';
import { KiB, MiB, type ByteRange } from '../units.js';
import { BufferPool } from './backends/buffer-pool.js';
import { BufferSet } from './buffer-set.js';
import { ReadAhead } from './read-ahead.js';

const bufferBytes = 128 * KiB;

async function acquire(lengthBytes: number, countMax: number): Promise<BufferSet> {
  const pool = new BufferPool({ poolBytes: 4 * MiB, bufferBytes });
  return BufferSet.acquire(pool, { lengthBytes, countMax, signal: new AbortController().signal });
}

async function readAll(backend: MemoryBackend, range: ByteRange, countMax: number): Promise<Buffer> {
  const buffers = await acquire(range.lengthBytes, countMax);
  const ahead = new ReadAhead(backend, buffers, range);
  const pieces: Buffer[] = [];
  for (let readBytes = 0; readBytes < range.lengthBytes;) {
    const { buffer, data } = await ahead.next();
    pieces.push(Buffer.from(data));
    readBytes += data.length;
    ahead.recycle(buffer);
  }
  buffers.release();
  return Buffer.concat(pieces);
}

describe('reading ahead', () => {
  for (const [offsetBytes, lengthBytes] of [
    [0, MiB],
    [1, MiB - 1],
    [bufferBytes - 1, 2],
    [bufferBytes, bufferBytes],
    [12_345, 7 * bufferBytes + 1],
    [MiB - 1, 1],
  ] as const) {
    for (const countMax of [1, 3]) {
      test(`gives ${lengthBytes} bytes at ${offsetBytes} in order, with ${countMax} buffers`, async () => {
        const backend = new MemoryBackend(randomBytes(MiB));
        const bytes = await readAll(backend, { offsetBytes, lengthBytes }, countMax);
        assert.ok(bytes.equals(backend.content.subarray(offsetBytes, offsetBytes + lengthBytes)));
        assert.ok(backend.inFlightPeak <= countMax);
      });
    }
  }

  test('keeps one read under way for each buffer', async () => {
    const backend = new MemoryBackend(randomBytes(MiB));
    const { promise, resolve } = Promise.withResolvers<undefined>();
    backend.gate = promise.then(() => undefined);
    const ahead = new ReadAhead(backend, await acquire(MiB, 3), { offsetBytes: 0, lengthBytes: MiB });
    assert.equal(backend.inFlightPeak, 3);
    resolve(undefined);
    await ahead.idle();
  });

  test('fails when the image has become shorter, and leaves no read under way', async () => {
    const backend = new MemoryBackend(randomBytes(300 * KiB));
    const ahead = new ReadAhead(backend, await acquire(MiB, 3), { offsetBytes: 0, lengthBytes: MiB });
    await ahead.next();
    await ahead.next();
    await assert.rejects(ahead.next(), StorageError);
    await ahead.idle();
  });
});

describe('the buffers of a transfer', () => {
  test('are few and small for little data', async () => {
    const buffers = await acquire(100, 3);
    assert.equal(buffers.all.length, 1);
    assert.ok(buffers.all[0]!.length < bufferBytes);
  });

  test('are no more than the data needs', async () => {
    assert.equal((await acquire(bufferBytes + 1, 3)).all.length, 2);
    assert.equal((await acquire(10 * bufferBytes, 3)).all.length, 3);
  });

  test('are used again when the oldest I/O is done', async () => {
    const buffers = await acquire(MiB, 2);
    const first = Promise.withResolvers<undefined>();
    const [one, two] = [await buffers.next(), await buffers.next()];
    buffers.use(one, first.promise);
    buffers.use(two, Promise.resolve());
    const waiting = buffers.next();
    first.resolve(undefined);
    assert.equal(await waiting, one);
  });

  test('report an I/O that failed to who waits, and idle waits for the others all the same', async () => {
    const buffers = await acquire(MiB, 2);
    buffers.use(await buffers.next(), Promise.reject(new StorageError('broken')));
    buffers.use(await buffers.next(), Promise.resolve());
    await assert.rejects(buffers.settled(), /broken/);
    await assert.rejects(buffers.next(), /broken/);
    await buffers.idle();
  });

  test('take steps that end at multiples of the buffer size', async () => {
    const buffers = await acquire(MiB, 1);
    assert.equal(buffers.stepAt(10, MiB), bufferBytes - 10);
    assert.equal(buffers.stepAt(bufferBytes, MiB), bufferBytes);
    assert.equal(buffers.stepAt(MiB - 5, MiB), 5);
  });
});
