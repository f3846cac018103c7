import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RateLimit } from './rate-limit.js';

const never = new AbortController().signal;

describe('a limit of the rate', () => {
  test('lets so many bytes pass in a second and no more, whoever asks', async () => {
    const limit = new RateLimit(100_000);
    const start = performance.now();
    await Promise.all(Array.from({ length: 11 }, () => limit.take(1000, never)));
    // The last may go when the ten before it have had their time. A timer may be early by less than 1 ms.
    assert.ok(performance.now() - start >= 99);
  });

  test('is none when there is none', async () => {
    await new RateLimit(undefined).take(Number.MAX_SAFE_INTEGER, never);
  });

  test('can be given up while it waits', async () => {
    const limit = new RateLimit(1);
    const controller = new AbortController();
    await limit.take(3600, controller.signal);
    const waiting = limit.take(1, controller.signal);
    controller.abort(new Error('given up'));
    await assert.rejects(waiting, /given up/);
  });
});
