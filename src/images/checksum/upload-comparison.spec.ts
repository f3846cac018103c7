import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UploadComparison } from './upload-comparison.js';

const uploaded = (index: number, value: number) => ({
  offsetBytes: index * 100,
  lengthBytes: 100,
  digest: Uint8Array.of(value),
});
const run = (index: number, count: number, value: number) => ({
  offsetBytes: index * 100,
  blockBytes: 100,
  count,
  zero: count > 1,
  digest: Uint8Array.of(value),
});

describe('UploadComparison', () => {
  it('knows of no difference where all is what was uploaded, or nothing was', () => {
    const comparison = new UploadComparison([uploaded(1, 7), uploaded(4, 0)]);
    for (const seen of [run(0, 1, 9), run(1, 1, 7), run(2, 5, 0), run(7, 1, 1)]) comparison.see(seen);
    assert.equal(comparison.firstDifferenceBytes, undefined);
  });

  it('tells where the first block begins that is not what was uploaded', () => {
    const comparison = new UploadComparison([uploaded(1, 7), uploaded(3, 8), uploaded(4, 8)]);
    for (const seen of [run(0, 1, 9), run(1, 1, 7), run(2, 3, 0)]) comparison.see(seen);
    assert.equal(comparison.firstDifferenceBytes, 300);
  });

  it('takes a block of another length for another one', () => {
    const comparison = new UploadComparison([{ ...uploaded(0, 7), lengthBytes: 50 }]);
    comparison.see(run(0, 1, 7));
    assert.equal(comparison.firstDifferenceBytes, 0);
  });
});
