import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../../test/support/random.js';
import { zeroRuns } from './zero-runs.js';

const runsOf = (data: Uint8Array, granuleBytes: number): string[] =>
  zeroRuns(data, granuleBytes).map(
    ({ offsetBytes, lengthBytes, zero }) => `${zero ? 'zero' : 'data'} ${offsetBytes}+${lengthBytes}`,
  );

describe('zeroes in data', () => {
  test('are found in whole granules, and at the end', () => {
    const data = Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
    assert.deepEqual(runsOf(data, 4), ['data 0+4', 'zero 4+4', 'data 8+4', 'zero 12+3']);
  });

  test('make one run where all is alike, and none of nothing', () => {
    assert.deepEqual(runsOf(new Uint8Array(100), 8), ['zero 0+100']);
    assert.deepEqual(runsOf(new Uint8Array(100).fill(1), 8), ['data 0+100']);
    assert.deepEqual(runsOf(new Uint8Array(0), 8), []);
  });

  test('are never data, nor data zeroes, wherever the data lies in memory', () => {
    const random = new SeededRandom(16);
    for (let round = 0; round < 300; round += 1) {
      const memory = new Uint8Array(700);
      const data = memory.subarray(random.below(9), 300 + random.below(400));
      for (let dots = random.below(6); dots > 0; dots -= 1) data[random.below(data.length)] = 1;
      const runs = zeroRuns(data, 16);
      let endBytes = 0;
      for (const [index, { offsetBytes, lengthBytes, zero }] of runs.entries()) {
        assert.equal(offsetBytes, endBytes);
        endBytes += lengthBytes;
        assert.notEqual(zero, runs[index + 1]?.zero);
        const part = data.subarray(offsetBytes, endBytes);
        if (zero) assert.ok(part.every((byte) => byte === 0));
        else
          for (let start = 0; start < part.length; start += 16)
            assert.ok(part.subarray(start, start + 16).some((byte) => byte !== 0));
      }
      assert.equal(endBytes, data.length);
    }
  });
});
