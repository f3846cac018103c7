import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { SpreadInterval } from './spread-interval.js';

describe('an interval that many share', () => {
  test('visits each of them once in a period, and a few at a time', () => {
    mock.timers.enable({ apis: ['setInterval'] });
    const visits = new Map<number, number>();
    let most = 0;
    let now = 0;
    const interval = new SpreadInterval<number>(15, (member) => {
      visits.set(member, (visits.get(member) ?? 0) + 1);
      now += 1;
    });
    for (let member = 0; member < 45; member++) interval.add(member);
    for (let second = 0; second < 30; second++) {
      now = 0;
      mock.timers.tick(1000);
      most = Math.max(most, now);
    }
    assert.equal(visits.size, 45);
    assert.deepEqual(new Set(visits.values()), new Set([2]));
    assert.equal(most, 3);
    mock.timers.reset();
  });

  test('visits none that was taken out, and keeps no timer for nobody', () => {
    mock.timers.enable({ apis: ['setInterval'] });
    const visited: string[] = [];
    const interval = new SpreadInterval<string>(15, (member) => visited.push(member));
    const [first, second] = ['a', 'b'].map((member) => interval.add(member));
    first?.();
    first?.();
    mock.timers.tick(15_000);
    assert.deepEqual(visited, ['b']);
    const cleared = mock.method(globalThis, 'clearInterval');
    second?.();
    assert.equal(cleared.mock.callCount(), 1);
    interval.add('c');
    mock.timers.tick(30_000);
    assert.deepEqual(visited, ['b', 'c', 'c']);
    mock.timers.reset();
    mock.restoreAll();
  });
});
