import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { UnavailableError } from '../../errors.js';
import { KiB, MiB } from '../../units.js';
import { isCongruent } from './aligned-memory.js';
import { blockSlackBytes } from './backend.js';
import { BufferPool, smallBufferBytes } from './buffer-pool.js';

const largeBytes = 512 * KiB;

/** Room for three large buffers and three small ones. */
function createPool(): BufferPool {
  return new BufferPool({ poolBytes: 2 * MiB, bufferBytes: largeBytes, waitSeconds: 10 });
}

async function drain(pool: BufferPool): Promise<Uint8Array[]> {
  return [await pool.acquire('large'), await pool.acquire('large'), await pool.acquire('large')];
}

describe('BufferPool', () => {
  it('gives page-aligned buffers with room for a block on each side of the data', () => {
    const pool = createPool();
    const large = pool.tryAcquire('large');
    const small = pool.tryAcquire('small');
    assert.ok(large !== undefined && small !== undefined);
    assert.equal(large.length, largeBytes + 2 * blockSlackBytes);
    assert.equal(small.length, smallBufferBytes + 2 * blockSlackBytes);
    assert.ok(isCongruent(large, 0, 4096) && isCongruent(small, 0, 4096));
  });

  it('keeps all buffers together within the size of the pool', () => {
    const pool = createPool();
    let totalBytes = 0;
    for (const size of ['large', 'small'] as const) {
      for (let buffer = pool.tryAcquire(size); buffer !== undefined; buffer = pool.tryAcquire(size)) {
        totalBytes += buffer.length;
      }
    }
    assert.ok(totalBytes > MiB && totalBytes <= 2 * MiB, `${totalBytes}`);
  });

  it('gives a released buffer again instead of making a new one', () => {
    const pool = createPool();
    const buffer = pool.tryAcquire('small');
    assert.ok(buffer !== undefined);
    pool.release(buffer);
    assert.equal(pool.tryAcquire('small'), buffer);
  });

  it('has no buffer of one size left while the other size still has', async () => {
    const pool = createPool();
    await drain(pool);
    assert.equal(pool.tryAcquire('large'), undefined);
    assert.notEqual(pool.tryAcquire('small'), undefined);
  });

  it('serves those who wait in the order in which they came', async () => {
    const pool = createPool();
    const [first, second] = await drain(pool);
    const served: string[] = [];
    const earlier = pool.acquire('large').then(() => served.push('earlier'));
    const later = pool.acquire('large').then(() => served.push('later'));
    pool.release(first!);
    await earlier;
    assert.deepEqual(served, ['earlier']);
    pool.release(second!);
    await later;
    assert.deepEqual(served, ['earlier', 'later']);
  });

  it('lets nobody overtake one who waits', async () => {
    const pool = createPool();
    const [buffer] = await drain(pool);
    const waiting = pool.acquire('large');
    pool.release(buffer!);
    assert.equal(pool.tryAcquire('large'), undefined);
    assert.equal(await waiting, buffer);
  });

  it('refuses with a time to come back when no buffer comes free', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const pool = createPool();
    await drain(pool);
    const refused = assert.rejects(pool.acquire('large'), (error: unknown) => {
      assert.ok(error instanceof UnavailableError);
      assert.equal(error.retryAfterSeconds, 10);
      return true;
    });
    t.mock.timers.tick(10_000);
    await refused;
    assert.equal(pool.statistics().large.waiting, 0);
  });

  it('stops waiting when the operation is cancelled, and loses no buffer by it', async () => {
    const pool = createPool();
    const [buffer] = await drain(pool);
    const cancel = new AbortController();
    const waiting = pool.acquire('large', cancel.signal);
    const reason = new Error('cancelled');
    cancel.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(pool.acquire('large', cancel.signal), reason);
    pool.release(buffer!);
    assert.equal(pool.tryAcquire('large'), buffer);
  });

  it('asserts that a buffer is released once, and to its own pool', () => {
    const pool = createPool();
    const buffer = pool.tryAcquire('small');
    assert.ok(buffer !== undefined);
    pool.release(buffer);
    assert.throws(() => {
      pool.release(buffer);
    }, assert.AssertionError);
    assert.throws(() => {
      createPool().release(new Uint8Array(10));
    }, assert.AssertionError);
  });

  it('counts what is in use, was in use at most, and waits', async () => {
    const pool = createPool();
    const [first, second] = await drain(pool);
    const waiting = pool.acquire('large');
    assert.deepEqual(pool.statistics().large, { countMax: 3, inUse: 3, inUseMax: 3, waiting: 1 });
    pool.release(first!);
    await waiting;
    pool.release(second!);
    assert.deepEqual(pool.statistics().large, { countMax: 3, inUse: 2, inUseMax: 3, waiting: 0 });
  });

  it('refuses to start with a size that has no room for one buffer', () => {
    assert.throws(() => new BufferPool({ poolBytes: MiB, bufferBytes: MiB }), /no room for one buffer/);
  });
});
