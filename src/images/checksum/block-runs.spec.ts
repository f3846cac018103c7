import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import { type BlockRun, blockRuns } from './block-runs.js';

async function list(
  parts: readonly { length: number; zero: boolean }[],
  blockSizeBytes: number,
): Promise<BlockRun[]> {
  let start = 0;
  const extents = parts.map(({ length, zero }) => {
    const extent = { start, length, zero, hole: false };
    start += length;
    return extent;
  });
  const runs: BlockRun[] = [];
  for await (const run of blockRuns(extents, blockSizeBytes)) {
    runs.push(run);
  }
  return runs;
}

describe('blockRuns', () => {
  it('gives a long run of zero blocks at once', async () => {
    assert.deepEqual(await list([{ length: 2 ** 40 + 1, zero: true }], 1024), [
      { offsetBytes: 0, blockBytes: 1024, count: 2 ** 30, zero: true },
      { offsetBytes: 2 ** 40, blockBytes: 1, count: 1, zero: true },
    ]);
  });

  it('begins where the extents do', async () => {
    const runs: BlockRun[] = [];
    for await (const run of blockRuns([{ start: 4096, length: 1500, zero: false, hole: false }], 1024)) {
      runs.push(run);
    }
    assert.deepEqual(runs, [
      { offsetBytes: 4096, blockBytes: 1024, count: 1, zero: false },
      { offsetBytes: 5120, blockBytes: 476, count: 1, zero: false },
    ]);
  });

  it('gives nothing for an empty image', async () => {
    assert.deepEqual(await list([], 1024), []);
  });

  it('covers the image in blocks, zero exactly where no extent has data', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ length: fc.nat(50), zero: fc.boolean() })),
        fc.integer({ min: 1, max: 16 }),
        async (parts, blockSizeBytes) => {
          const isZero = parts.flatMap(({ length, zero }) => Array.from({ length }, () => zero));
          let position = 0;
          for (const { offsetBytes, blockBytes, count, zero } of await list(parts, blockSizeBytes)) {
            for (let index = 0; index < count; index += 1) {
              assert.equal(offsetBytes + index * blockBytes, position);
              const block = isZero.slice(position, position + blockSizeBytes);
              assert.equal(blockBytes, block.length);
              assert.equal(zero, block.every(Boolean));
              position += blockBytes;
            }
          }
          assert.equal(position, isZero.length);
        },
      ),
    );
  });
});
