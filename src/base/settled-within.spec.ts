import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { settledWithin } from './settled-within.js';

/** Longer than any test runs: what waits for it never gets there. */
const farSeconds = 3600;

describe('settledWithin', () => {
  it('settles as the work does while there is time', async () => {
    const late = mock.fn(() => 'late');
    assert.equal(await settledWithin(Promise.resolve('done'), farSeconds, late), 'done');
    assert.equal(await settledWithin('at once', farSeconds, late), 'at once');
    await assert.rejects(
      settledWithin(Promise.reject(new Error('failed')), farSeconds, late),
      /^Error: failed/,
    );
    assert.equal(late.mock.callCount(), 0);
  });

  it('gives what it is told to when the time is over', async () => {
    const never = new Promise<string>(() => undefined);
    assert.equal(await settledWithin(never, 0.001, () => 'late'), 'late');
    const refuse = () => {
      throw new Error('too late');
    };
    await assert.rejects(settledWithin(never, 0.001, refuse), /^Error: too late/);
  });

  it('leaves no unhandled rejection behind when the work fails too late', async () => {
    const work = Promise.withResolvers<string>();
    assert.equal(await settledWithin(work.promise, 0.001, () => 'late'), 'late');
    const unhandled = mock.fn();
    process.on('unhandledRejection', unhandled);
    work.reject(new Error('failed'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    assert.equal(unhandled.mock.callCount(), 0);
  });

  it('keeps no timer of work that has settled', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const late = mock.fn();
    await settledWithin('done', 1, late);
    context.mock.timers.tick(2000);
    assert.equal(late.mock.callCount(), 0);
  });
});
