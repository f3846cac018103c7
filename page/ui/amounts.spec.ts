import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesText, durationText, percentOf } from './amounts.js';

describe('amounts as a person reads them', () => {
  for (const [bytes, text] of [
    [0, '0 bytes'],
    [1023, '1023 bytes'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [2 ** 30 - 1, '1024 MiB'],
    [2 ** 30, '1 GiB'],
    [250.4 * 2 ** 20, '250 MiB'],
    [8 * 2 ** 40, '8 TiB'],
  ] as const)
    test(`${bytes} bytes are ${text}`, () => {
      assert.equal(bytesText(bytes), text);
    });

  for (const [seconds, text] of [
    [0.4, '0 s'],
    [59, '59 s'],
    [59.6, '1 min 0 s'],
    [754, '12 min'],
    [7500, '2 h 5 min'],
    [260_000, '3 days'],
  ] as const)
    test(`${seconds} seconds are ${text}`, () => {
      assert.equal(durationText(seconds), text);
    });

  test('nothing is 100 percent before it is all there', () => {
    assert.deepEqual([percentOf(999, 1000), percentOf(1000, 1000), percentOf(0, 0)], [99, 100, 100]);
  });
});
