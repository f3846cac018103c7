import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KiB, MiB } from '../../base/units.js';
import { BufferPool } from './buffer-pool.js';
import { poolParts } from './pool-parts.js';

const limits = { bufferPoolBytes: 128 * MiB, bufferBytes: MiB, buffersPerTransfer: 3 };

function partsOf(bufferPoolBytes: number, workers: number) {
  return poolParts({ ...limits, bufferPoolBytes }, workers);
}

describe('the buffers of several threads', () => {
  test('are all the main thread’s where there is no other', () => {
    assert.deepEqual(partsOf(128 * MiB, 0), { mainBytes: 128 * MiB, workerBytes: 0 });
  });

  test('are one half the main thread’s and one half of all others', () => {
    assert.deepEqual(partsOf(128 * MiB, 4), { mainBytes: 64 * MiB, workerBytes: 16 * MiB });
  });

  test('are the main thread’s first where there are few', () => {
    const { mainBytes, workerBytes } = partsOf(4 * MiB, 2);
    assert.deepEqual([mainBytes, workerBytes], [4 * MiB, 0]);
    assert.equal(BufferPool.counts({ poolBytes: workerBytes, bufferBytes: MiB }).large, 0);
    // Half of it has no room for a small buffer.
    const few = poolParts({ ...limits, bufferPoolBytes: MiB, bufferBytes: 64 * KiB }, 2);
    assert.deepEqual(few, { mainBytes: MiB, workerBytes: 0 });
  });
});
