import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Extent } from '../backends/backend.js';
import { ExtentsList } from './extents-list.js';

const positions = [0, 1, 9, 10, 99, 100, 4_294_967_295, 4_294_967_296, 999_999_999_999_999];
const extents: readonly Extent[] = [...positions, Number.MAX_SAFE_INTEGER].map((start, index) => ({
  start,
  length: positions[positions.length - index] ?? 1,
  zero: index % 2 === 0,
  hole: index % 3 === 0,
  dirty: index % 4 === 0,
}));

function textOf(list: ExtentsList, lists: readonly (readonly Extent[])[]): string {
  for (const some of lists) list.add(some);
  return Buffer.concat(list.end()).toString();
}

test('a list of extents has the members of its context', () => {
  const zero = extents.map(({ start, length, zero, hole }) => ({ start, length, zero, hole }));
  assert.deepEqual(JSON.parse(textOf(new ExtentsList('zero', false), [extents])), zero);
  const dirty = extents.map(({ start, length, zero, dirty }) => ({ start, length, dirty, zero }));
  assert.deepEqual(JSON.parse(textOf(new ExtentsList('dirty', false), [extents])), dirty);
});

test('a list of extents may be empty', () => {
  assert.equal(textOf(new ExtentsList('zero', false), []), '[]');
  assert.equal(textOf(new ExtentsList('zero', true), []), '');
});

for (const asLines of [false, true]) {
  test(`a list of extents is longer than a piece of it, ${asLines ? 'as lines' : 'as an array'}`, () => {
    const text = textOf(new ExtentsList('zero', asLines), Array<typeof extents>(1000).fill(extents));
    const items = asLines
      ? text.trimEnd().split('\n')
      : (JSON.parse(text) as object[]).map((item) => JSON.stringify(item));
    assert.equal(items.length, 1000 * extents.length);
    const expected = extents.map(({ start, length, zero, hole }) =>
      JSON.stringify({ start, length, zero, hole }),
    );
    for (const [index, item] of items.entries()) assert.equal(item, expected[index % extents.length]);
  });
}

test('each line of a list of extents is whole at once', () => {
  const list = new ExtentsList('zero', true);
  list.add(extents.slice(0, 2));
  assert.match(Buffer.concat(list.take()).toString(), /^\{.*\}\n\{.*\}\n$/);
});
