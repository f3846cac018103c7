import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InvalidRequestError } from '../base/errors.js';
import { checkJsonShape } from './json-shape.js';

const check = (text: string): void => {
  checkJsonShape(new TextEncoder().encode(text), 'thing');
};
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const list = (values: number): string => `[${Array(values).fill('1').join(',')}]`;

describe('the shape of a JSON body', () => {
  for (const [what, text] of [
    ['of 32 levels', nested(32)],
    ['of many levels one after the other', `[${Array(20).fill(nested(30)).join(',')}]`],
    ['of 1024 values', list(1023)],
    ['with brackets and commas in a string', JSON.stringify('[{,'.repeat(5000))],
    ['with an escaped quote in a string', JSON.stringify(`"${'['.repeat(100)}`)],
    ['with a backslash at the end of a string', `["\\\\",${JSON.stringify('['.repeat(100))}]`],
    ['with a string that does not end', `"${'['.repeat(100)}`],
    ['with an escape that does not end', '"\\'],
    ['without anything', ''],
    ['with more ends than beginnings', ']'.repeat(100)],
    ['with characters outside of ASCII', JSON.stringify('嬢嬢'.repeat(100))],
  ] as const) {
    test(`${what} passes`, () => {
      check(text);
    });
  }

  for (const [what, text, reason] of [
    ['of 33 lists', nested(33), /^Invalid thing: the body is nested deeper than 32 levels$/],
    ['of 33 objects', '{"a":'.repeat(33), /nested deeper than 32 levels$/],
    ['of lists and objects in turn', '[{"a":'.repeat(17), /nested deeper than 32 levels$/],
    ['of 1025 values', list(1024), /^Invalid thing: the body has more than 1024 values$/],
    ['of many empty lists', `[${Array(1000).fill('[]').join(',')}]`, /more than 1024 values$/],
    ['of nothing but commas', ','.repeat(2000), /more than 1024 values$/],
  ] as const) {
    test(`${what} is refused`, () => {
      assert.throws(
        () => {
          check(text);
        },
        (error: unknown) => error instanceof InvalidRequestError && reason.test(error.message),
      );
    });
  }
});
