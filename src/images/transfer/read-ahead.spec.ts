import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { createClaimant } from '../../../test/support/claimants.js';
import { MemoryBackend } from '../../../test/support/memory-backend.js';
import { StorageError } from '../../base/errors.js';
import { KiB, MiB, type ByteRange } from '../../base/units.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import { BufferSet } from './buffer-set.js';
import { ReadAhead } from './read-ahead.js';

const bufferBytes = 128 * KiB;

function createPool(): BufferPool {
  return new BufferPool({ poolBytes: 4 * MiB, bufferBytes });
}

async function acquire(lengthBytes: number, countMax: number, pool = createPool()): Promise<BufferSet> {
  return BufferSet.acquire(pool, { claimant: createClaimant(), lengthBytes, countMax });
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

  test('reads again what it had to drop, and gives all in order', async () => {
    const backend = new MemoryBackend(randomBytes(MiB));
    const pool = createPool();
    const buffers = await acquire(MiB, 3, pool);
    const ahead = new ReadAhead(backend, buffers, { offsetBytes: 0, lengthBytes: MiB });
    const pieces: Buffer[] = [];
    for (let readBytes = 0; readBytes < MiB;) {
      const { buffer, data } = await ahead.next();
      await ahead.idle();
      ahead.drop(() => true);
      // Only what is in use by the caller.
      assert.equal(pool.statistics().large.inUse, 1);
      pieces.push(Buffer.from(data));
      readBytes += data.length;
      ahead.recycle(buffer);
    }
    assert.ok(Buffer.concat(pieces).equals(backend.content));
  });

  test('drops nothing that is being read, nor what nobody wants', async () => {
    const backend = new MemoryBackend(randomBytes(MiB));
    const gate = Promise.withResolvers<undefined>();
    backend.gate = gate.promise.then(() => undefined);
    const pool = createPool();
    const buffers = await acquire(MiB, 3, pool);
    const ahead = new ReadAhead(backend, buffers, { offsetBytes: 0, lengthBytes: MiB });
    ahead.drop(() => true);
    gate.resolve(undefined);
    await ahead.idle();
    ahead.drop(() => false);
    assert.equal(pool.statistics().large.inUse, 3);
  });
});
