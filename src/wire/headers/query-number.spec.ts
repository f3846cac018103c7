import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeNumber } from './query-number.js';

test('takes digits for a number, up to what JSON carries exactly', () => {
  assert.deepEqual(['0', '007', '9007199254740991'].map(wholeNumber), [0, 7, Number.MAX_SAFE_INTEGER]);
});

test('takes nothing else', () => {
  for (const value of ['', '-1', '+1', '1.0', '1e3', '0x1', ' 1', '9007199254740992', '٣', ['1'], undefined])
    assert.equal(wholeNumber(value), undefined);
});
