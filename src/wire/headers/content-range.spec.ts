import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { InvalidRequestError, RangeNotSatisfiableError } from '../../base/errors.js';
import { parseContentRangeStart, parseRange } from './content-range.js';

/** Text that is nearly a range: the interesting mistakes are few characters away from a right one. */
const nearlyRange = fc
  .array(
    fc.constantFrom(
      'bytes',
      '=',
      ' ',
      '-',
      '/',
      '*',
      ',',
      '0',
      '7',
      '13',
      '18446744073709551616',
      '\t',
      'é',
      '+',
    ),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''));
const anyText = fc.oneof(nearlyRange, fc.string({ unit: 'binary' }));

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && Number.isSafeInteger(value + 1);
}

describe('Range', () => {
  for (const [header, range] of [
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=5-', { first: 5, last: undefined }],
    ['bytes=-5', { suffixLength: 5 }],
    [' bytes = 5 - 9 ', { first: 5, last: 9 }],
    ['BYTES=5-9', { first: 5, last: 9 }],
  ] as const) {
    test(`${header} is understood`, () => {
      assert.deepEqual(parseRange(header), range);
    });
  }

  test('is any text: it is parsed to safe positions or refused, and nothing else happens', () => {
    fc.assert(
      fc.property(anyText, (header) => {
        try {
          const range = parseRange(header);
          if ('suffixLength' in range) assert.ok(isPosition(range.suffixLength));
          else {
            assert.ok(isPosition(range.first));
            assert.ok(range.last === undefined || (isPosition(range.last) && range.last >= range.first));
          }
        } catch (error: unknown) {
          assert.ok(error instanceof RangeNotSatisfiableError, String(error));
          assert.equal(error.availableBytes, undefined);
        }
      }),
    );
  });

  test('is what was meant, for all positions of an image', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (first, length) => {
        assert.deepEqual(parseRange(`bytes=${first}-${first + length}`), { first, last: first + length });
      }),
    );
  });
});

describe('Content-Range', () => {
  test('is absent for a body that begins at the start', () => {
    assert.equal(parseContentRangeStart(undefined), 0);
  });

  test('counts by its first byte only', () => {
    fc.assert(
      fc.property(fc.nat(), fc.option(fc.nat()), fc.option(fc.nat()), (first, lengthMinusOne, rest) => {
        const last = lengthMinusOne === null ? undefined : first + lengthMinusOne;
        const total = rest === null ? '*' : String((last ?? first) + 1 + rest);
        assert.equal(parseContentRangeStart(`bytes ${first}-${last ?? '*'}/${total}`), first);
      }),
    );
  });

  test('is any text: it is parsed to a safe position or refused, and nothing else happens', () => {
    fc.assert(
      fc.property(anyText, (header) => {
        try {
          assert.ok(isPosition(parseContentRangeStart(header)));
        } catch (error: unknown) {
          assert.ok(error instanceof InvalidRequestError, String(error));
        }
      }),
    );
  });
});
