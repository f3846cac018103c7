import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { NbdProtocolError } from './nbd-errors.js';
import { ReadCoverage } from './nbd-read-coverage.js';

describe('read coverage', () => {
  test('is complete after the last of any pieces, in any order, and not before', () => {
    const shuffled = fc
      .uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 40 })
      .map((cuts) => [0, ...cuts.sort((a, b) => a - b), 1000])
      .map((edges) => edges.slice(1).map((end, index) => [edges[index]!, end] as const))
      .chain((pieces) => fc.shuffledSubarray(pieces, { minLength: pieces.length }));
    fc.assert(
      fc.property(shuffled, (pieces) => {
        const coverage = new ReadCoverage();
        for (const [start, end] of pieces) {
          assert.equal(coverage.isExactly(0, 1000), false);
          coverage.add(start, end);
        }
        assert.equal(coverage.isExactly(0, 1000), true);
      }),
    );
  });

  for (const [start, end] of [
    [10, 20],
    [5, 11],
    [19, 25],
    [12, 15],
    [0, 30],
  ] as const) {
    test(`refuses ${start}-${end} after 10-20`, () => {
      const coverage = new ReadCoverage();
      coverage.add(10, 20);
      assert.throws(() => {
        coverage.add(start, end);
      }, NbdProtocolError);
    });
  }

  test('refuses more than 1024 scattered pieces', () => {
    const coverage = new ReadCoverage();
    for (let piece = 0; piece < 1024; piece += 1) coverage.add(2 * piece, 2 * piece + 1);
    assert.throws(() => {
      coverage.add(4096, 4097);
    }, NbdProtocolError);
  });
});
