import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pairedRatios, spreadOf } from './statistics.js';

test('takes the middle of an odd number of values', () => {
  assert.deepEqual(spreadOf([10, 2, 9]), { median: 9, min: 2, max: 10 });
});

test('takes the mean of the two middle ones of an even number of values', () => {
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
});

test('relates each value to its partner before it looks for the middle', () => {
  assert.deepEqual(pairedRatios([1, 20, 3], [2, 10, 1]), { median: 2, min: 0.5, max: 3 });
});
