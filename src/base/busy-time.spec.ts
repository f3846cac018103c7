import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BusyTime } from './busy-time.js';

function stopwatch() {
  const clock = { milliseconds: 5000 };
  return { clock, busy: new BusyTime(() => clock.milliseconds) };
}

describe('BusyTime', () => {
  test('adds up pieces of work that follow each other, without the time between them', () => {
    const { clock, busy } = stopwatch();
    for (const milliseconds of [200, 300]) {
      busy.enter();
      clock.milliseconds += milliseconds;
      busy.leave();
      clock.milliseconds += 1000;
    }
    assert.equal(busy.seconds, 0.5);
  });

  test('counts overlapping pieces once', () => {
    const { clock, busy } = stopwatch();
    busy.enter();
    clock.milliseconds += 100;
    busy.enter();
    clock.milliseconds += 100;
    busy.leave();
    clock.milliseconds += 100;
    busy.leave();
    assert.equal(busy.seconds, 0.3);
  });

  test('counts what is still under way', () => {
    const { clock, busy } = stopwatch();
    busy.enter();
    clock.milliseconds += 250;
    assert.equal(busy.seconds, 0.25);
  });

  test('stops when the work fails, and hands the failure on', async () => {
    const { clock, busy } = stopwatch();
    const failure = new Error('broken');
    await assert.rejects(
      busy.during(async () => {
        clock.milliseconds += 100;
        throw failure;
      }),
      failure,
    );
    clock.milliseconds += 100;
    assert.equal(busy.seconds, 0.1);
  });
});
