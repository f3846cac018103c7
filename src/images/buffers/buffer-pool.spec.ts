import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { createClaimant } from '../../../test/support/claimants.js';
import { UnavailableError } from '../../base/errors.js';
import { KiB, MiB } from '../../base/units.js';
import { isCongruent } from './aligned-memory.js';
import { blockSlackBytes } from './aligned-memory.js';
import { type BufferHolder, BufferPool, type BufferRequest, smallBufferBytes } from './buffer-pool.js';

const largeBytes = 512 * KiB;

/** Room for three large buffers and three small ones. */
function createPool(): BufferPool {
  return new BufferPool({ poolBytes: 2 * MiB, bufferBytes: largeBytes, waitSeconds: 10 });
}

/** For a ticket and an image of its own. */
function large(claimant = createClaimant()): BufferRequest {
  return { size: 'large', claimant };
}

async function drain(pool: BufferPool): Promise<Uint8Array[]> {
  return [await pool.acquire(large()), await pool.acquire(large()), await pool.acquire(large())];
}

/** Something that gives back what it is asked for, and counts how often. */
class Holder implements BufferHolder {
  place = 0;
  idleCount = 0;
  stalledCount = 0;

  constructor(
    private readonly idle: () => void = () => undefined,
    private readonly stalled: () => boolean = () => false,
  ) {}

  giveBackIdle(): void {
    this.idleCount += 1;
    this.idle();
  }

  giveBackStalled(): boolean {
    this.stalledCount += 1;
    return this.stalled();
  }
}

describe('BufferPool', () => {
  it('gives page-aligned buffers with room for a block on each side of the data', () => {
    const pool = createPool();
    const large = pool.tryAcquire('large', createClaimant());
    const small = pool.tryAcquire('small', createClaimant());
    assert.ok(large !== undefined && small !== undefined);
    assert.equal(large.length, largeBytes + 2 * blockSlackBytes);
    assert.equal(small.length, smallBufferBytes + 2 * blockSlackBytes);
    assert.ok(isCongruent(large, 0, 4096) && isCongruent(small, 0, 4096));
  });

  it('keeps all buffers together within the size of the pool', () => {
    const pool = createPool();
    let totalBytes = 0;
    for (const size of ['large', 'small'] as const) {
      for (
        let buffer = pool.tryAcquire(size, createClaimant());
        buffer !== undefined;
        buffer = pool.tryAcquire(size, createClaimant())
      ) {
        totalBytes += buffer.length;
      }
    }
    assert.ok(totalBytes > MiB && totalBytes <= 2 * MiB, `${totalBytes}`);
  });

  it('gives a released buffer again instead of making a new one', () => {
    const pool = createPool();
    const buffer = pool.tryAcquire('small', createClaimant());
    assert.ok(buffer !== undefined);
    pool.release(buffer);
    assert.equal(pool.tryAcquire('small', createClaimant()), buffer);
  });

  it('has no buffer of one size left while the other size still has', async () => {
    const pool = createPool();
    await drain(pool);
    assert.equal(pool.tryAcquire('large', createClaimant()), undefined);
    assert.notEqual(pool.tryAcquire('small', createClaimant()), undefined);
  });

  it('lets nobody overtake one who waits', async () => {
    const pool = createPool();
    const [buffer] = await drain(pool);
    const waiting = pool.acquire(large());
    pool.release(buffer!);
    assert.equal(pool.tryAcquire('large', createClaimant()), undefined);
    assert.equal(await waiting, buffer);
  });

  it('refuses when no buffer comes free in time', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const pool = createPool();
    await drain(pool);
    const refused = assert.rejects(pool.acquireFirst(large()), UnavailableError);
    t.mock.timers.tick(10_000);
    await refused;
    assert.equal(pool.statistics().large.waiting, 0);
  });

  it('says that it is the image that has too many, where others could have one', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    const pool = createPool();
    const hog = createClaimant();
    while (pool.tryAcquire('large', hog) !== undefined);
    const refused = assert.rejects(pool.acquireFirst(large(hog)), /that one image may have are in use/);
    t.mock.timers.tick(10_000);
    await refused;
    assert.notEqual(pool.tryAcquire('large', createClaimant()), undefined);
  });

  it('asks those who hold buffers to give back what lies idle as soon as somebody waits', async () => {
    const pool = createPool();
    const [buffer] = await drain(pool);
    const holder = new Holder(() => {
      if (pool.isWantedIdle(buffer!)) pool.release(buffer!);
    });
    pool.join(holder);
    assert.equal(await pool.acquire(large()), buffer);
    assert.equal(holder.idleCount, 1);
    assert.equal(holder.stalledCount, 0);
  });

  it('asks every second who is held up by its client, until nobody waits', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const pool = createPool();
    const [buffer] = await drain(pool);
    const holder = new Holder();
    pool.join(holder);
    const waiting = pool.acquire(large());
    t.mock.timers.tick(1000);
    t.mock.timers.tick(1000);
    assert.equal(holder.stalledCount, 2);
    pool.release(buffer!);
    await waiting;
    t.mock.timers.tick(1000);
    const asked = holder.stalledCount;
    t.mock.timers.tick(5000);
    assert.equal(holder.stalledCount, asked);
  });

  it('ends no more transfers that are held up than wait', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const pool = createPool();
    await drain(pool);
    const holders = Array.from({ length: 3 }, () => new Holder(undefined, () => true));
    for (const holder of holders) pool.join(holder);
    void pool.acquire(large());
    t.mock.timers.tick(1000);
    assert.deepEqual(
      holders.map(({ stalledCount }) => stalledCount),
      [1, 0, 0],
    );
  });

  it('asks nobody who has left, and all who have not', async () => {
    const pool = createPool();
    await drain(pool);
    const holders = Array.from({ length: 5 }, () => new Holder());
    for (const holder of holders) pool.join(holder);
    for (const index of [1, 4, 0]) pool.leave(holders[index]!);
    void pool.acquire(large());
    assert.deepEqual(
      holders.map(({ idleCount }) => idleCount),
      [0, 0, 1, 1, 0],
    );
  });

  it('wants a busy buffer back for a ticket that holds fewer, or for the same one', async () => {
    const pool = createPool();
    const [rich, poor, poorest] = [createClaimant(), createClaimant(), createClaimant()];
    const ofRich = await pool.acquire(large(rich));
    await pool.acquire(large(rich));
    const ofPoor = await pool.acquire(large(poor));
    assert.ok(!pool.isContended('large') && !pool.isWanted(ofRich) && !pool.isWantedIdle(ofRich));
    void pool.acquire(large(poor));
    assert.ok(pool.isContended('large') && !pool.isContended('small'));
    assert.ok(pool.isWanted(ofPoor) && !pool.isWanted(ofRich));
    void pool.acquire(large(poorest));
    assert.ok(pool.isWanted(ofRich) && pool.isWanted(ofPoor));
  });

  it('wants a buffer back only if it lies idle for a ticket that holds as many', async () => {
    const pool = new BufferPool({ poolBytes: 4 * MiB, bufferBytes: largeBytes });
    const [one, other] = [createClaimant(), createClaimant()];
    const buffer = await pool.acquire(large(one));
    for (const claimant of [one, other, other]) await pool.acquire(large(claimant));
    assert.equal(pool.tryAcquire('large', other), undefined);
    void pool.acquire(large(other));
    assert.ok(pool.isWantedIdle(buffer) && !pool.isWanted(buffer));
  });

  it('stops waiting when the operation is cancelled, and loses no buffer by it', async () => {
    const pool = createPool();
    const [buffer] = await drain(pool);
    const cancel = new AbortController();
    const waiting = pool.acquire({ ...large(), signal: cancel.signal });
    const reason = new Error('cancelled');
    cancel.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(pool.acquire({ ...large(), signal: cancel.signal }), reason);
    pool.release(buffer!);
    assert.equal(pool.tryAcquire('large', createClaimant()), buffer);
  });

  it('asserts that a buffer is released once, and to its own pool', () => {
    const pool = createPool();
    const buffer = pool.tryAcquire('small', createClaimant());
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
    const waiting = pool.acquire(large());
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
