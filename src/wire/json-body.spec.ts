import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { InvalidRequestError } from '../base/errors.js';
import { FractionalNumber, parseJson, parseJsonObject } from './json-body.js';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('JSON bodies', () => {
  for (const [text, value] of [
    ['0', 0],
    ['-0', -0],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['18446744073709551616', 18446744073709551616n],
    [`1${'0'.repeat(60_000)}`, 10n ** 23n],
    [`-1${'0'.repeat(60_000)}`, -(10n ** 22n)],
    ['1.0', new FractionalNumber('1.0')],
    ['1e3', new FractionalNumber('1e3')],
    ['1e400', new FractionalNumber('1e400')],
    ['0.5', new FractionalNumber('0.5')],
    ['{"a":[1,{"b":2.5}]}', { a: [1, { b: new FractionalNumber('2.5') }] }],
    ['"1"', '1'],
  ] as const) {
    test(`keep the number in ${text.slice(0, 40)} as it was written, or too large`, () => {
      assert.deepStrictEqual(parseJson(encode(text), 'thing'), value);
    });
  }

  test('are what JSON.parse makes of them when there are only safe integers', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        const value: unknown = JSON.parse(text);
        const isExact =
          JSON.stringify(value)
            .replace(/"(?:[^"\\]|\\.)*"/g, '')
            .search(/[.e]|\d{16}/) < 0;
        if (isExact) assert.deepStrictEqual(parseJson(encode(text), 'thing'), value);
      }),
    );
  });

  test('are any bytes: they are parsed or refused, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          parseJsonObject(bytes, 'thing');
        } catch (error: unknown) {
          assert.ok(error instanceof InvalidRequestError, String(error));
        }
      }),
    );
  });

  test('are refused in words that do not quote them', () => {
    assert.throws(
      () => parseJson(encode('{"uuid": SECRET'), 'thing'),
      (error: unknown) => {
        assert.ok(error instanceof InvalidRequestError);
        assert.equal(error.message, 'Invalid thing: the body is not valid JSON in UTF-8');
        assert.equal(error.cause, undefined);
        return true;
      },
    );
  });

  for (const text of ['[]', 'null', '1', '1.5', '"x"', 'true', '9007199254740993']) {
    test(`are refused when an object is needed and they are ${text}`, () => {
      assert.throws(
        () => parseJsonObject(encode(text), 'thing'),
        /Invalid thing: the body must be a JSON object/,
      );
    });
  }

  test('are refused when they are nested deeply', () => {
    const text = '['.repeat(30_000) + ']'.repeat(30_000);
    assert.throws(
      () => parseJson(encode(text), 'thing'),
      /^InvalidRequestError: Invalid thing: the body is nested/,
    );
  });
});
