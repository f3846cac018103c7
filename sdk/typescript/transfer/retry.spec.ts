import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TransferError } from './failure.js';
import { Retrier } from './retry.js';

const never = new AbortController().signal;

function failing(times: number, details: Partial<TransferError['details']> = {}): () => Promise<number> {
  let tries = 0;
  return async () => {
    tries += 1;
    if (tries <= times) throw new TransferError('It fails', { retryable: true, ...details });
    return tries;
  };
}

describe('what fails and is tried again', () => {
  test('comes to its end when it succeeds within the limit, and tells of each failure', async () => {
    const delays: number[] = [];
    const retrier = new Retrier({ retriesMax: 2, onRetry: (_, seconds) => delays.push(seconds) });
    assert.equal(await retrier.run(never, failing(2)), 3);
    assert.equal(delays.length, 2);
    assert.ok(delays.every((seconds) => seconds > 0 && seconds <= 0.5));
  });

  test('counts anew after a success', async () => {
    const retrier = new Retrier({ retriesMax: 1 });
    assert.equal(await retrier.run(never, failing(1)), 2);
    assert.equal(await retrier.run(never, failing(1)), 2);
  });

  test('is not tried again when that does not help', async () => {
    const retrier = new Retrier({ retriesMax: 5, onRetry: () => assert.fail('it was tried again') });
    const refused = failing(1, { retryable: false, status: 403 });
    await assert.rejects(retrier.run(never, refused), TransferError);
    await assert.rejects(
      retrier.run(never, async () => Promise.reject(new RangeError('a defect'))),
      RangeError,
    );
  });

  test('waits as long as the service says', async () => {
    const delays: number[] = [];
    const retrier = new Retrier({ retriesMax: 1, onRetry: (_, seconds) => delays.push(seconds) });
    await retrier.run(never, failing(1, { retryAfterSeconds: 0.3 }));
    assert.ok((delays[0] ?? 0) >= 0.3);
  });

  test('ends with the reason of who gives it up, also while it waits', async () => {
    const controller = new AbortController();
    const onRetry = (): void => {
      controller.abort(new Error('given up'));
    };
    const retrier = new Retrier({ retriesMax: 5, onRetry });
    const waiting = retrier.run(controller.signal, failing(1, { retryAfterSeconds: 3600 }));
    await assert.rejects(waiting, /given up/);
    await assert.rejects(retrier.run(controller.signal, failing(0)), /given up/);
  });

  test('is tried again at once when somebody knows better, as if it had not failed before', async () => {
    const retrier = new Retrier({
      retriesMax: 1,
      onRetry: () => {
        setTimeout(() => {
          retrier.retryNow();
        });
      },
    });
    await retrier.run(never, failing(3, { retryAfterSeconds: 3600 }));
  });

  test('has failed when nothing is tried again any more', async () => {
    const retrier = new Retrier({
      retriesMax: 5,
      onRetry: () => {
        retrier.stop();
      },
    });
    await assert.rejects(retrier.run(never, failing(1, { retryAfterSeconds: 3600 })), /It fails/);
  });
});
