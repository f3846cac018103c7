import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createClaimant } from '../../../../test/support/claimants.js';
import { FairShares } from '../../buffers/fair-shares.js';
import { FileTurns } from './file-turns.js';

const hung = new Promise<void>(() => undefined);
const nextTurn = (): Promise<unknown> => new Promise(setImmediate);

describe('turns at the threads for file I/O', () => {
  test('are limited for one image, and leave others theirs', async () => {
    const threads = new FairShares(4);
    const image = createClaimant();
    const stuck = new FileTurns(threads, image);
    let begun = 0;
    for (let count = 0; count < 10; count += 1)
      void stuck.run(() => {
        begun += 1;
        return hung;
      });
    await nextTurn();
    assert.equal(begun, 2);
    assert.equal(await new FileTurns(threads, createClaimant()).run(async () => 'done'), 'done');
  });

  test('go on with the next call when one has failed', async () => {
    const turns = new FileTurns(new FairShares(1), createClaimant());
    const failing = turns.run(() => Promise.reject(new Error('EIO')));
    const next = turns.run(async () => 'done');
    await assert.rejects(failing, /EIO/);
    assert.equal(await next, 'done');
  });

  test('are given up for what waits, not for what has begun', async () => {
    const threads = new FairShares(1);
    const turns = new FileTurns(threads, createClaimant());
    const running = Promise.withResolvers<string>();
    const first = turns.run(() => running.promise);
    const waiting = turns.run(() => assert.fail('its turn has not come'));
    turns.abandon();
    await assert.rejects(waiting, /given up/);
    running.resolve('done');
    assert.equal(await first, 'done');
    assert.equal(await turns.run(async () => 'again'), 'again');
    assert.equal(threads.free, 1);
  });
});
