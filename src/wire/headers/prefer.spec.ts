import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefersAsynchronous } from './prefer.js';

const cases: readonly (readonly [string | undefined, boolean])[] = [
  [undefined, false],
  ['', false],
  ['respond-async', true],
  ['Respond-Async', true],
  ['respond-async=""', true],
  ['respond-async; foo="bar"', true],
  ['wait=10, respond-async', true],
  ['return=minimal', false],
  ['respond-async-not', false],
  ['respond-async=no', false],
  [`${'x,'.repeat(16)}respond-async`, false],
];
for (const [prefer, expected] of cases)
  test(`Prefer: ${prefer ?? 'nothing'} ${expected ? 'asks for a job' : 'asks for none'}`, () => {
    assert.equal(prefersAsynchronous(prefer), expected);
  });
