import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Trick } from './trick.js';

const plainWay = 'it takes longer';

test('a trick whose canary succeeds stays in use', async () => {
  const trick = new Trick({ name: 'a trick', plainWay, canary: () => Promise.resolve() });
  await trick.check();
  assert.equal(trick.inUse, true);
  assert.equal(trick.fallback, undefined);
});

for (const [how, canary] of [
  [
    'throws',
    () => {
      throw new Error('Node has changed');
    },
  ],
  ['rejects', () => Promise.reject(new Error('Node has changed'))],
] as const) {
  test(`a trick whose canary ${how} is turned off, and says why and what that means`, async () => {
    const trick = new Trick({ name: 'a trick', plainWay, canary });
    await trick.check();
    assert.equal(trick.inUse, false);
    assert.equal(trick.fallback, 'Without a trick (Node has changed): it takes longer');
  });
}

test('a trick whose canary never ends is turned off', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const trick = new Trick({ name: 'a trick', plainWay, canary: () => new Promise(() => undefined) });
  const checked = trick.check();
  t.mock.timers.tick(5000);
  await checked;
  assert.equal(trick.fallback, 'Without a trick (no result after 5 seconds): it takes longer');
});

test('the canary of a trick that is off is not run', async () => {
  const trick = new Trick({ name: 'a trick', plainWay, canary: () => assert.fail('it was run') });
  trick.turnOff('asked for');
  await trick.check();
  assert.equal(trick.fallback, 'Without a trick (asked for): it takes longer');
});
