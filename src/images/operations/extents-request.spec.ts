import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidRequestError } from '../../base/errors.js';
import { extentsRequest } from './extents-request.js';

test('a list of extents is by default one of all zeroes', () => {
  assert.deepEqual(extentsRequest({}), {
    context: 'zero',
    startBytes: 0,
    endBytes: Infinity,
    limit: undefined,
  });
});

test('a page of extents is bounded, whatever is asked for', () => {
  const query = { context: 'dirty', start: '5', length: '10', limit: '9007199254740991' };
  assert.deepEqual(extentsRequest(query), { context: 'dirty', startBytes: 5, endBytes: 15, limit: 10_000 });
});

for (const query of [
  { context: 'none' },
  { start: '-1' },
  { start: '' },
  { start: '1.5' },
  { start: ['1', '2'] },
  { length: '9007199254740992' },
  { length: '0x10' },
  { limit: '0' },
]) {
  test(`a list of extents is refused for ${JSON.stringify(query)}`, () => {
    assert.throws(() => extentsRequest(query), InvalidRequestError);
  });
}
