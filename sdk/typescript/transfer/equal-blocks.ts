import { BlockDigests } from './block-digests.js';
import { RangeSet } from './byte-ranges.js';
import { isHashing, type BlockDigest, type HashingDisk, type ReadableDisk } from './disk.js';
import { toHex, type Hasher } from './hashing.js';

export interface Comparison {
  /** How much of the disks, from their first bytes on; of less when one is shorter. */
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly hasher: Hasher;
  readonly signal: AbortSignal;
}

/**
 * Which blocks are the same on both disks. Zeroes that a disk knows of are not read, and nothing is of a disk
 * that hashes itself.
 * @returns undefined when the one that hashes cannot tell digests
 */
export async function equalBlocks(
  hashing: HashingDisk,
  other: ReadableDisk,
  { sizeBytes, ...rest }: Comparison,
): Promise<RangeSet | undefined> {
  const common = { ...rest, sizeBytes: Math.min(sizeBytes, hashing.sizeBytes, other.sizeBytes) };
  const equal = new RangeSet();
  if (common.sizeBytes === 0) return equal;
  const blocks = await toldBy(hashing, common);
  if (blocks === undefined) return undefined;
  const others = digestsOf(other, common);
  try {
    for await (const { offsetBytes, lengthBytes, digest } of blocks) {
      const next = (await others.next()) as IteratorResult<BlockDigest, unknown>;
      if (next.done === true) break;
      const { value } = next;
      if (value.offsetBytes === offsetBytes && value.lengthBytes === lengthBytes && value.digest === digest)
        equal.add({ offsetBytes, lengthBytes });
    }
  } finally {
    await others.return(undefined);
  }
  return equal;
}

async function toldBy(
  disk: HashingDisk,
  { hasher, blockBytes, sizeBytes, signal }: Comparison,
): Promise<AsyncIterable<BlockDigest> | undefined> {
  return disk.digests(hasher.algorithm, blockBytes, { offsetBytes: 0, lengthBytes: sizeBytes }, signal);
}

async function* digestsOf(disk: ReadableDisk, comparison: Comparison): AsyncGenerator<BlockDigest> {
  const told = isHashing(disk) ? await toldBy(disk, comparison) : undefined;
  if (told !== undefined) {
    yield* told;
    return;
  }
  const { hasher, blockBytes, sizeBytes, signal } = comparison;
  const seen = new BlockDigests(hasher, blockBytes, sizeBytes);
  for await (const extent of disk.extents(signal)) if (extent.zero) seen.setZero(extent);
  const buffer = new Uint8Array(blockBytes);
  for (let index = 0; index < seen.blockCount; index++) {
    const range = seen.rangeOf(index);
    let digest = await seen.of(index);
    if (digest === undefined) {
      const data = buffer.subarray(0, range.lengthBytes);
      await disk.read(data, range.offsetBytes, signal);
      digest = await hasher.digest(data);
    }
    yield { ...range, digest: toHex(digest) };
  }
}
