import type { Extent } from '../backends/backend.js';

/**
 * `count` blocks of `blockBytes` that follow each other: one that has data, or any
 * number that read as zeroes.
 */
export interface BlockRun {
  readonly offsetBytes: number;
  readonly blockBytes: number;
  readonly count: number;
  readonly zero: boolean;
}

/**
 * Cuts an image, or a part of it, into blocks of one size, the last may be shorter, and says which are zero
 * by the extents alone. Runs of zero blocks come together, however long, because a
 * sparse image can have millions.
 * @param extents in order and without gaps, from the first byte of a block on
 */
export async function* blockRuns(
  extents: AsyncIterable<Extent> | Iterable<Extent>,
  blockSizeBytes: number,
): AsyncGenerator<BlockRun> {
  let offsetBytes: number | undefined;
  let filledBytes = 0;
  let zero = true;
  for await (const extent of extents) {
    offsetBytes ??= extent.start;
    let remainingBytes = extent.length;
    while (remainingBytes > 0) {
      const wholeBlocks = Math.floor(remainingBytes / blockSizeBytes);
      if (filledBytes === 0 && extent.zero && wholeBlocks > 0) {
        yield { offsetBytes, blockBytes: blockSizeBytes, count: wholeBlocks, zero: true };
        offsetBytes += wholeBlocks * blockSizeBytes;
        remainingBytes -= wholeBlocks * blockSizeBytes;
        continue;
      }
      const takenBytes = Math.min(remainingBytes, blockSizeBytes - filledBytes);
      zero &&= extent.zero;
      filledBytes += takenBytes;
      remainingBytes -= takenBytes;
      if (filledBytes === blockSizeBytes) {
        yield { offsetBytes, blockBytes: blockSizeBytes, count: 1, zero };
        offsetBytes += blockSizeBytes;
        filledBytes = 0;
        zero = true;
      }
    }
  }
  if (offsetBytes !== undefined && filledBytes > 0) {
    yield { offsetBytes, blockBytes: filledBytes, count: 1, zero };
  }
}
