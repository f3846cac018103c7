import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefersJson, prefersJsonLines } from './accept.js';

const cases: readonly (readonly [string | undefined, boolean])[] = [
  [undefined, false],
  ['', false],
  ['*/*', false],
  ['text/plain', false],
  ['text/html,application/xhtml+xml,*/*;q=0.8', false],
  ['application/json', true],
  ['Application/JSON', true],
  ['application/problem+json', true],
  ['application/json, text/plain, */*', true],
  ['text/plain, application/json', false],
  ['text/plain;q=0.5, application/json', true],
  ['application/json;q=0.5, text/plain', false],
  ['application/json;q=0', false],
  ['application/json;q=nonsense', false],
  ['application/json; charset=utf-8; q=0.9, text/*;q=0.8', true],
  ['image/png', false],
  [',,;;,', false],
];
for (const [accept, json] of cases) {
  test(`Accept: ${accept ?? '(none)'} prefers ${json ? 'JSON' : 'text'}`, () => {
    assert.equal(prefersJson(accept), json);
  });
}

const listCases: readonly (readonly [string | undefined, boolean])[] = [
  [undefined, false],
  ['*/*', false],
  ['application/json', false],
  ['application/x-ndjson', true],
  ['application/x-ndjson, application/json', true],
  ['application/json, application/x-ndjson', false],
  ['application/json;q=0.9, application/x-ndjson', true],
  ['application/x-ndjson;q=0.5, */*', false],
  ['application/x-ndjson;q=0', false],
];
for (const [accept, lines] of listCases) {
  test(`Accept: ${accept ?? '(none)'} prefers ${lines ? 'a line for each item' : 'one array'}`, () => {
    assert.equal(prefersJsonLines(accept), lines);
  });
}
