import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, test } from 'node:test';
import { InvalidRequestError, TooManyHeadersError } from '../../base/errors.js';
import { headBeyondBounds } from './head-bounds.js';

function refusal(headers: number, url: string, id?: string): Error | undefined {
  const rawHeaders = Array.from({ length: headers }, (_, index) => [`name-${index}`, 'value']).flat();
  return headBeyondBounds({ rawHeaders, url } as IncomingMessage, id === undefined ? {} : { id });
}

describe('the head of a request', () => {
  test('may have 256 headers and no more', () => {
    assert.equal(refusal(256, '/'), undefined);
    assert.ok(refusal(257, '/') instanceof TooManyHeadersError);
  });

  test('may have 64 parameters in its query and no more', () => {
    assert.equal(refusal(0, `/?${'a&'.repeat(63)}`), undefined);
    assert.ok(refusal(0, `/?${'a&'.repeat(64)}`) instanceof InvalidRequestError);
  });

  for (const character of ['i', 'ä', '💾']) {
    test(`may have an id of 512 ${character} in its path and no longer one`, () => {
      assert.equal(refusal(0, '/', character.repeat(512)), undefined);
      assert.match(String(refusal(0, '/', character.repeat(513))), /more than 512 characters/);
    });
  }
});
