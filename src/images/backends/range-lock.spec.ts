import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RangeLock } from './range-lock.js';

/** Whether the promise is settled once everything that can run has run. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  await new Promise(setImmediate);
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending;
}

describe('RangeLock', () => {
  it('lets shared claims overlap', async () => {
    const lock = new RangeLock();
    await lock.acquire(0, 10, false);
    await lock.acquire(5, 15, false);
  });

  it('lets exclusive claims lie side by side', async () => {
    const lock = new RangeLock();
    await lock.acquire(0, 10, true);
    await lock.acquire(10, 20, true);
  });

  for (const [first, second] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    it(`keeps overlapping claims apart: exclusive ${first}, then ${second}`, async () => {
      const lock = new RangeLock();
      const release = await lock.acquire(0, 10, first);
      const waiting = lock.acquire(9, 20, second);
      assert.ok(await isPending(waiting));
      release();
      await waiting;
    });
  }

  it('holds all that follows under a claim to infinity', async () => {
    const lock = new RangeLock();
    const release = await lock.acquire(1000, Infinity, true);
    await lock.acquire(0, 1000, true);
    const beyond = lock.acquire(1e12, 1e12 + 1, false);
    assert.ok(await isPending(beyond));
    release();
    await beyond;
  });

  it('lets nobody overtake an earlier claim that waits', async () => {
    const lock = new RangeLock();
    const releaseFirst = await lock.acquire(0, 10, false);
    const exclusive = lock.acquire(0, 10, true);
    const later = lock.acquire(0, 10, false);
    releaseFirst();
    const releaseExclusive = await exclusive;
    assert.ok(await isPending(later));
    releaseExclusive();
    await later;
  });

  it('is released by work that succeeds or fails, whose outcome it passes on', async () => {
    const lock = new RangeLock();
    await assert.rejects(
      lock.run(0, 10, true, async () => Promise.reject(new Error('broken'))),
      /broken/,
    );
    assert.equal(await lock.run(0, 10, true, async () => 'done'), 'done');
    await lock.acquire(0, 10, true);
  });
});
