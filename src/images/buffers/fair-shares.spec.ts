import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createClaimant } from '../../../test/support/claimants.js';
import { type Claimant, FairShares } from './fair-shares.js';

/** Takes as many as there are for it. @returns how many */
function takeAll(shares: FairShares, claimant: Claimant): number {
  let count = 0;
  while (shares.tryTake(claimant)) count += 1;
  return count;
}

/** Waits in the background, and remembers in which order they were served. */
class Line {
  readonly served: string[] = [];

  constructor(private readonly shares: FairShares) {}

  wait(name: string, claimant: Claimant, signal?: AbortSignal): Promise<unknown> {
    return this.shares.take(claimant, signal).then(() => this.served.push(name));
  }

  /** Gives `claimant`'s share back, and lets those who are served notice. */
  async give(claimant: Claimant): Promise<void> {
    this.shares.give(claimant);
    await new Promise(setImmediate);
  }
}

describe('fair shares', () => {
  test('are at most half of all for one image, a third for each of two, and so on', () => {
    const shares = new FairShares(60);
    assert.equal(takeAll(shares, createClaimant()), 30);
    // Those who came first keep what they took.
    assert.equal(takeAll(shares, createClaimant()), 15);
    assert.equal(takeAll(shares, createClaimant()), 8);
    assert.equal(shares.free, 7);
  });

  test('are counted by image, whichever ticket asks', () => {
    const shares = new FairShares(10);
    assert.equal(takeAll(shares, createClaimant('file:///one')), 5);
    assert.equal(takeAll(shares, createClaimant('file:///one')), 0);
    assert.equal(takeAll(shares, createClaimant('file:///other')), 3);
  });

  test('are there for somebody new however many one has that hangs', () => {
    const shares = new FairShares(222);
    takeAll(shares, createClaimant());
    for (let others = 0; others < 50; others += 1) assert.ok(shares.tryTake(createClaimant()));
  });

  test('can be taken where there is only one', () => {
    assert.equal(takeAll(new FairShares(1), createClaimant()), 1);
  });

  test('go to whoever holds the fewest, not to whoever asked first', async () => {
    const shares = new FairShares(8);
    const [many, few, none] = [createClaimant(), createClaimant(), createClaimant()];
    for (const claimant of [many, many, many, many, few]) assert.ok(shares.tryTake(claimant));
    const others = [createClaimant(), createClaimant(), createClaimant()];
    for (const other of others) assert.ok(shares.tryTake(other));
    const line = new Line(shares);
    void line.wait('many', many);
    void line.wait('few', few);
    void line.wait('none', none);
    await line.give(others[0]!);
    assert.deepEqual(line.served, ['none']);
    // One image with one share may have another one as soon as two are free.
    await line.give(others[1]!);
    await line.give(others[2]!);
    assert.deepEqual(line.served, ['none', 'few']);
  });

  test('go round between those who hold as many, one of each queue at a time', async () => {
    const shares = new FairShares(3);
    const holders = [createClaimant(), createClaimant(), createClaimant()];
    for (const holder of holders) assert.ok(shares.tryTake(holder));
    const [one, other] = [createClaimant(), createClaimant()];
    const line = new Line(shares);
    for (const name of ['one 1', 'one 2', 'one 3']) void line.wait(name, one);
    void line.wait('other 1', other);
    await line.give(holders[0]!);
    await line.give(one);
    await line.give(other);
    await line.give(one);
    assert.deepEqual(line.served, ['one 1', 'other 1', 'one 2', 'one 3']);
  });

  test('are waited for by an image that has all it may have, while others take what is free', async () => {
    const shares = new FairShares(4);
    const hog = createClaimant();
    takeAll(shares, hog);
    const line = new Line(shares);
    void line.wait('hog', hog);
    assert.ok(shares.tryTake(createClaimant()));
    await line.give(hog);
    assert.deepEqual(line.served, ['hog']);
  });

  test('are given back by an image that holds more than its part for those of its own', async () => {
    const shares = new FairShares(9);
    const [early, late] = [createClaimant('file:///early'), createClaimant('file:///late')];
    assert.equal(takeAll(shares, early), 5);
    assert.equal(takeAll(shares, late), 2);
    // There are two free, so neither image may take one more.
    const line = new Line(shares);
    const sibling = createClaimant('file:///early');
    void line.wait('sibling', sibling);
    assert.equal(shares.nextAfter(late), undefined);
    assert.equal(shares.nextAfter(early), sibling);
    await line.give(early);
    assert.deepEqual([shares.free, line.served], [3, []]);
    await line.give(early);
    assert.deepEqual([shares.free, line.served], [3, ['sibling']]);
  });

  test('are not lost by one who stops waiting', async () => {
    const shares = new FairShares(1);
    const [holder, patient] = [createClaimant(), createClaimant()];
    assert.ok(shares.tryTake(holder));
    const line = new Line(shares);
    const cancel = new AbortController();
    const waiting = line.wait('impatient', createClaimant(), cancel.signal);
    void line.wait('patient', patient);
    const reason = new Error('cancelled');
    cancel.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(shares.take(patient, cancel.signal), reason);
    assert.equal(shares.waiting, 1);
    await line.give(holder);
    assert.deepEqual(line.served, ['patient']);
  });

  test('tell who would get the next one', async () => {
    const shares = new FairShares(3);
    const [two, one, none] = [createClaimant(), createClaimant(), createClaimant()];
    for (const claimant of [two, two, one]) assert.ok(shares.tryTake(claimant));
    assert.equal(shares.nextAfter(two), undefined);
    const line = new Line(shares);
    void line.wait('one', one);
    // Its image holds as many as would be free, unless it is itself who gives.
    assert.equal(shares.nextAfter(two), undefined);
    assert.equal(shares.nextAfter(one), one);
    void line.wait('none', none);
    assert.equal(shares.nextAfter(two), none);
  });

  test('are never more than there are, and nobody waits for what it could have', async () => {
    const actor = fc.integer({ min: 0, max: 4 });
    const action = fc.tuple(fc.constantFrom('try', 'wait', 'give', 'cancel'), actor);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.array(action, { maxLength: 80 }),
        async (count, actions) => {
          const shares = new FairShares(count);
          // Two of them have the same image.
          const claimants = ['a', 'b', 'b', 'c', 'd'].map(createClaimant);
          const cancels = claimants.map((): AbortController[] => []);
          const held = claimants.map(() => 0);
          for (const [what, index] of actions) {
            const claimant = claimants[index]!;
            if (what === 'try' && shares.tryTake(claimant)) held[index]! += 1;
            if (what === 'give' && held[index]! > 0) {
              held[index]! -= 1;
              shares.give(claimant);
            }
            if (what === 'cancel') cancels[index]!.pop()?.abort();
            if (what === 'wait') {
              const cancel = new AbortController();
              cancels[index]!.push(cancel);
              shares.take(claimant, cancel.signal).then(
                () => (held[index]! += 1),
                () => undefined,
              );
            }
            await new Promise(setImmediate);
            assert.equal(shares.free, count - held.reduce((sum, one) => sum + one, 0));
            assert.ok(shares.free >= 0);
            assert.deepEqual(
              claimants.map((one) => shares.held(one)),
              held,
            );
            if (shares.free === count) assert.equal(shares.waiting, 0);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
