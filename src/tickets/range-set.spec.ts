import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RangeSet } from './range-set.js';

describe('RangeSet', () => {
  test('counts a range that is sent twice once', () => {
    const set = new RangeSet();
    set.add(0, 100);
    set.add(0, 100);
    set.add(50, 150);
    assert.equal(set.coveredBytes, 150);
    assert.equal(set.count, 1);
  });

  test('keeps separate ranges apart until the gap is filled', () => {
    const set = new RangeSet();
    set.add(0, 10);
    set.add(20, 30);
    assert.equal(set.count, 2);
    set.add(10, 20);
    assert.equal(set.count, 1);
    assert.equal(set.coveredBytes, 30);
  });

  test('ignores an empty range', () => {
    const set = new RangeSet();
    set.add(5, 5);
    assert.equal(set.count, 0);
  });

  test('tells the gaps of a range', () => {
    const set = new RangeSet();
    assert.deepEqual(set.gaps(0, 10), [[0, 10]]);
    set.add(2, 4);
    set.add(6, 8);
    assert.deepEqual(set.gaps(0, 10), [
      [0, 2],
      [4, 6],
      [8, 10],
    ]);
    assert.deepEqual(set.gaps(3, 7), [[4, 6]]);
    assert.deepEqual(set.gaps(2, 4), []);
    assert.deepEqual(set.gaps(5, 5), []);
  });

  test('covers what a bitmap of the same ranges covers', () => {
    const range = fc.tuple(fc.nat(200), fc.nat(40));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 60 }), (ranges) => {
        const set = new RangeSet();
        const bitmap = new Uint8Array(300);
        for (const [start, length] of ranges) {
          set.add(start, start + length);
          bitmap.fill(1, start, start + length);
        }
        const runs = [...bitmap].filter((bit, index) => bit === 1 && bitmap[index - 1] !== 1).length;
        assert.equal(
          set.coveredBytes,
          bitmap.reduce((sum, bit) => sum + bit, 0),
        );
        assert.equal(set.count, runs);
      }),
    );
  });
});
