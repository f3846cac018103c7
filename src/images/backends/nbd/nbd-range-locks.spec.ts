import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { NbdRangeLocks } from './nbd-range-locks.js';

/** Work that a test ends by hand, and whether it has begun. */
function work() {
  let end!: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const state = { begun: false, end, run: () => ((state.begun = true), ended) };
  return state;
}

const turn = (): Promise<void> => setImmediate();
const range = (offsetBytes: number, endBytes: number) => ({
  offsetBytes,
  lengthBytes: endBytes - offsetBytes,
});

describe('range locks', () => {
  test('let work on ranges that only touch, or on other exports, go on at once', async () => {
    const locks = new NbdRangeLocks();
    const works = [work(), work(), work()];
    const all = [
      locks.run('a', range(0, 10), works[0]!.run),
      locks.run('a', range(10, 20), works[1]!.run),
      locks.run('b', range(0, 10), works[2]!.run),
    ];
    await turn();
    assert.deepEqual(
      works.map(({ begun }) => begun),
      [true, true, true],
    );
    for (const { end } of works) end();
    await Promise.all(all);
  });

  test('serve overlapping ranges one after the other, in the order of asking', async () => {
    const locks = new NbdRangeLocks();
    const [first, wide, narrow] = [work(), work(), work()];
    const all = [
      locks.run('a', range(0, 10), first.run),
      locks.run('a', range(5, 30), wide.run),
      // Free now, but the wide one came before it.
      locks.run('a', range(20, 25), narrow.run),
    ];
    await turn();
    assert.deepEqual([first.begun, wide.begun, narrow.begun], [true, false, false]);
    first.end();
    await turn();
    assert.deepEqual([wide.begun, narrow.begun], [true, false]);
    wide.end();
    await turn();
    assert.equal(narrow.begun, true);
    narrow.end();
    await Promise.all(all);
  });

  test('are released by work that fails, and pass its failure on', async () => {
    const locks = new NbdRangeLocks();
    await assert.rejects(
      locks.run('a', range(0, 10), async () => Promise.reject(new Error('broken'))),
      /broken/,
    );
    assert.equal(await locks.run('a', range(0, 10), async () => 'done'), 'done');
  });
});
