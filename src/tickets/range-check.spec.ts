import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RangeNotSatisfiableError } from '../base/errors.js';
import { resolveRange } from './range-check.js';

const size = fc.nat({ max: 50 });

describe('a range of something', () => {
  test('is within its size or refused with it', () => {
    const requested = fc.oneof(
      fc.record({ suffixLength: fc.nat({ max: 60 }) }),
      fc.record({ first: fc.nat({ max: 60 }), last: fc.option(fc.nat({ max: 60 }), { nil: undefined }) }),
    );
    fc.assert(
      fc.property(requested, size, (range, sizeBytes) => {
        if ('last' in range && range.last !== undefined && range.last < range.first) return;
        try {
          const { offsetBytes, lengthBytes } = resolveRange(range, sizeBytes, 'image');
          assert.ok(offsetBytes >= 0 && lengthBytes > 0 && offsetBytes + lengthBytes <= sizeBytes);
          if ('suffixLength' in range) {
            assert.equal(offsetBytes + lengthBytes, sizeBytes);
            assert.equal(lengthBytes, Math.min(range.suffixLength, sizeBytes));
          } else {
            assert.equal(offsetBytes, range.first);
            assert.equal(offsetBytes + lengthBytes, (range.last ?? sizeBytes - 1) + 1);
          }
        } catch (error: unknown) {
          assert.ok(error instanceof RangeNotSatisfiableError, String(error));
          assert.equal(error.availableBytes, sizeBytes);
          const isOutside =
            'suffixLength' in range
              ? range.suffixLength === 0 || sizeBytes === 0
              : range.first >= sizeBytes || (range.last ?? 0) >= sizeBytes;
          assert.ok(isOutside);
        }
      }),
    );
  });

  test('is refused in words that say what was exceeded', () => {
    assert.throws(() => resolveRange({ first: 2, last: 11 }, 10, 'ticket'), /range end 12 > ticket size 10/);
    assert.throws(
      () => resolveRange({ first: 10, last: undefined }, 10, 'image'),
      /start 10 >= image size 10/,
    );
  });
});
