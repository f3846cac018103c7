import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RouteTable } from './route-table.js';

function makeTable(): RouteTable {
  const table = new RouteTable();
  table.add('GET', '/images/:id');
  table.add(['PUT', 'PATCH'], '/images/:id');
  table.add('GET', '/images/:id/extents');
  table.add('GET', '/docs/*');
  return table;
}

describe('the route table', () => {
  for (const [path, methods] of [
    ['/images/x', ['GET', 'PUT', 'PATCH']],
    ['/images/x/extents', ['GET']],
    ['/images/x/y', []],
    ['/images/', []],
    ['/docs/a/b', ['GET']],
    ['/none', []],
  ] as const) {
    test(`finds ${methods.join() || 'nothing'} for ${path}`, () => {
      assert.deepEqual(makeTable().methodsOf(path), methods);
    });
  }

  test('names every method once, in order', () => {
    assert.deepEqual(makeTable().methods, ['GET', 'PATCH', 'PUT']);
  });
});
