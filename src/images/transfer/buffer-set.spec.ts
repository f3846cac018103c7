import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createClaimant } from '../../../test/support/claimants.js';
import { StorageError } from '../../base/errors.js';
import { KiB, MiB } from '../../base/units.js';
import { BufferPool, smallBufferBytes } from '../buffers/buffer-pool.js';
import { BufferSet, type BufferSetOptions } from './buffer-set.js';

const bufferBytes = 128 * KiB;

function transfer(pool: BufferPool, options: Partial<BufferSetOptions> = {}): Promise<BufferSet> {
  return BufferSet.acquire(pool, { claimant: createClaimant(), lengthBytes: MiB, countMax: 3, ...options });
}

function takeAll(set: BufferSet): Uint8Array[] {
  const buffers: Uint8Array[] = [];
  for (let buffer = set.tryTake(); buffer !== undefined; buffer = set.tryTake()) buffers.push(buffer);
  return buffers;
}

/** Exactly `count` large buffers, and a small one at least. */
function poolOf(count: number): BufferPool {
  const largeBytes = bufferBytes * Math.max(1, Math.ceil(6 / count));
  return new BufferPool({
    poolBytes: Math.ceil((count * (largeBytes + 8 * KiB) * 8) / 7),
    bufferBytes: largeBytes,
  });
}

const turn = (): Promise<unknown> => new Promise(setImmediate);

describe('how many buffers a transfer gets', () => {
  test('the first ones get all that they may have, those beside them two', async () => {
    const pool = poolOf(60);
    const counts: number[] = [];
    for (let index = 0; index < 4; index += 1) counts.push(takeAll(await transfer(pool)).length);
    assert.deepEqual(counts, [3, 3, 2, 2]);
  });

  test('it gets all of them again when the others have ended', async () => {
    const pool = poolOf(60);
    const others = [await transfer(pool), await transfer(pool), await transfer(pool)];
    for (const set of others) takeAll(set);
    for (const set of others) set.release();
    assert.equal(pool.statistics().large.inUse, 0);
    assert.equal(takeAll(await transfer(pool)).length, 3);
  });

  test('it gets no more than the data needs', async () => {
    const pool = poolOf(60);
    assert.equal(takeAll(await transfer(pool, { lengthBytes: bufferBytes })).length, 1);
    assert.equal(takeAll(await transfer(pool, { lengthBytes: bufferBytes + 1 })).length, 2);
  });

  test('little data gets a small one', async () => {
    const [buffer, ...others] = takeAll(await transfer(poolOf(60), { lengthBytes: 100 }));
    assert.ok(buffer !== undefined && buffer.length < bufferBytes);
    assert.equal(others.length, 0);
  });
});

describe('the buffers of a transfer', () => {
  test('take steps that end at multiples of the buffer size', async () => {
    const set = await transfer(poolOf(60));
    const buffer = await set.take();
    assert.equal(set.stepAt(buffer, 10, MiB), bufferBytes - 10);
    assert.equal(set.stepAt(buffer, bufferBytes, MiB), bufferBytes);
    assert.equal(set.stepAt(buffer, MiB - 5, MiB), 5);
  });

  test('are used again when their step is done', async () => {
    const set = await transfer(poolOf(60), { countMax: 2 });
    const step = Promise.withResolvers<undefined>();
    const [one, two] = [await set.take(), await set.take()];
    set.use(one, step.promise);
    set.use(two, new Promise(() => undefined));
    const waiting = set.take();
    step.resolve(undefined);
    assert.equal(await waiting, one);
  });

  test('report a step that failed to who waits, and idle waits for the others all the same', async () => {
    const set = await transfer(poolOf(60), { countMax: 2 });
    set.use(await set.take(), Promise.reject(new StorageError('broken')));
    set.use(await set.take(), Promise.resolve());
    await assert.rejects(set.settled(), /broken/);
    await assert.rejects(set.take(), /broken/);
    await set.idle();
  });

  test('serve several who take at once', async () => {
    const set = new BufferSet(poolOf(60), { claimant: createClaimant(), lengthBytes: MiB, countMax: 1 });
    const takers = [set.take(), set.take(), set.take()];
    const seen = new Set<Uint8Array>();
    for (const taker of takers) {
      const buffer = await taker;
      seen.add(buffer);
      set.put(buffer);
    }
    assert.equal(seen.size, 1);
  });
});

describe('a transfer beside others that wait', () => {
  test('gives back what lies idle at once', async () => {
    const pool = poolOf(3);
    const set = await transfer(pool);
    takeAll(set).forEach((buffer) => {
      set.put(buffer);
    });
    await transfer(pool);
    const third = await transfer(pool);
    assert.equal(takeAll(third).length, 1);
    assert.deepEqual(pool.statistics().large, { countMax: 3, inUse: 3, inUseMax: 3, waiting: 0 });
  });

  test('gives each buffer back after its step, and queues for the next one', async () => {
    const pool = poolOf(1);
    const [one, other] = [await transfer(pool), transfer(pool)];
    const buffer = await one.take();
    one.put(buffer);
    const otherSet = await other;
    assert.equal(await otherSet.take(), buffer);
    const again = one.take();
    await turn();
    otherSet.put(buffer);
    assert.equal(await again, buffer);
    one.release();
    otherSet.release();
    assert.equal(pool.statistics().large.inUse, 0);
  });

  test('keeps its buffer when nobody waits whose turn it is', async () => {
    const pool = poolOf(2);
    const hog = createClaimant();
    const hogSet = await transfer(pool, { claimant: hog });
    takeAll(hogSet);
    const set = await transfer(pool);
    const buffer = await set.take();
    const waiting = transfer(pool, { claimant: hog });
    await turn();
    set.put(buffer);
    assert.equal(set.tryTake(), buffer);
    hogSet.release();
    await waiting;
  });

  test('goes on with small buffers if its client is slow', async () => {
    const pool = poolOf(1);
    const set = await transfer(pool);
    const large = await set.take();
    const other = transfer(pool);
    await turn();
    set.isSlow = true;
    set.put(large);
    const otherSet = await other;
    await otherSet.take();
    const third = transfer(pool);
    await turn();
    const small = await set.take();
    assert.equal(set.stepAt(small, 0, MiB), smallBufferBytes);
    set.isSlow = false;
    set.put(small);
    otherSet.release();
    (await third).release();
    set.release();
    assert.deepEqual([pool.statistics().large.inUse, pool.statistics().small.inUse], [0, 0]);
  });

  test('ends with the reason of its signal while it waits itself', async () => {
    const pool = poolOf(1);
    const cancel = new AbortController();
    const set = await transfer(pool, { signal: cancel.signal });
    const buffer = await set.take();
    const other = transfer(pool);
    await turn();
    set.put(buffer);
    await (await other).take();
    const [one, two] = [set.take(), set.take()];
    const reason = new Error('cancelled');
    cancel.abort(reason);
    await assert.rejects(one, reason);
    await assert.rejects(two, reason);
    set.release();
    assert.equal(pool.statistics().large.waiting, 0);
  });
});
