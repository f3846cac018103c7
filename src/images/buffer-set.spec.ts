import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KiB, MiB } from '../units.js';
import { BufferPool } from './backends/buffer-pool.js';
import { BufferSet } from './buffer-set.js';

const bufferBytes = 64 * KiB;

function transfer(pool: BufferPool, lengthBytes = MiB): Promise<BufferSet> {
  return BufferSet.acquire(pool, { lengthBytes, countMax: 3, signal: new AbortController().signal });
}

test('the first transfers get all the buffers they may have, those beside them two', async () => {
  const pool = new BufferPool({ poolBytes: 8 * MiB, bufferBytes });
  const sets = [await transfer(pool), await transfer(pool), await transfer(pool), await transfer(pool)];
  assert.deepEqual(
    sets.map(({ all }) => all.length),
    [3, 3, 2, 2],
  );
});

test('a transfer gets all of its buffers again when the others have ended', async () => {
  const pool = new BufferPool({ poolBytes: 8 * MiB, bufferBytes });
  for (const set of [await transfer(pool), await transfer(pool), await transfer(pool)]) set.release();
  assert.equal((await transfer(pool)).all.length, 3);
});

test('a transfer beside others gets no more buffers than it has use for', async () => {
  const pool = new BufferPool({ poolBytes: 8 * MiB, bufferBytes });
  await transfer(pool);
  await transfer(pool);
  assert.equal((await transfer(pool, bufferBytes)).all.length, 1);
});
