import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Health } from './health.js';

const good = { name: 'good', check: () => undefined };

describe('health', () => {
  test('is ready when every check is fine', async () => {
    const slow = { name: 'slow', check: async () => Promise.resolve() };
    assert.deepEqual(await new Health([good, slow]).report(), {
      ready: true,
      checks: { good: 'ok', slow: 'ok' },
    });
  });

  test('is not ready when one check fails, by throwing or by rejecting, and says which and why', async () => {
    const throwing = {
      name: 'throwing',
      check: () => {
        throw new Error('closed');
      },
    };
    const rejecting = { name: 'rejecting', check: async () => Promise.reject(new Error('away')) };
    assert.deepEqual(await new Health([throwing, good, rejecting]).report(), {
      ready: false,
      checks: { throwing: 'closed', good: 'ok', rejecting: 'away' },
    });
  });

  test('does not wait for a check that hangs', async () => {
    const hanging = { name: 'hanging', check: () => new Promise<void>(() => undefined) };
    assert.deepEqual(await new Health([hanging, good], 0.01).report(), {
      ready: false,
      checks: { hanging: 'no answer within 0.01 s', good: 'ok' },
    });
  });

  test('asks anew each time', async () => {
    let works = false;
    const health = new Health([
      {
        name: 'changing',
        check: () => {
          if (!works) throw new Error('not yet');
        },
      },
    ]);
    assert.equal((await health.report()).ready, false);
    works = true;
    assert.equal((await health.report()).ready, true);
  });
});
