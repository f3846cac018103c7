import type { BlockDigests } from './block-digests.js';
import { RangeSet, type ByteRange } from './byte-ranges.js';
import type { BlockDigest, HashingDisk, ReadableDisk } from './disk.js';
import { VerificationError } from './failure.js';
import { toHex } from './hashing.js';

export interface SeenDisk {
  /** What was moved, as far as it was seen. */
  readonly seen: BlockDigests;
  /** Has the blocks that were not seen, because they were there from a run before. */
  readonly other: ReadableDisk;
  readonly signal: AbortSignal;
}

export interface Verification extends SeenDisk {
  /** Hashes itself. */
  readonly hashing: HashingDisk;
  /** Blocks that are known to be equal. It gets those that are found to be: who tries again goes on there. */
  readonly equal?: RangeSet;
  readonly onVerified: (bytes: number) => void;
}

/** So many differing blocks are named. */
const namedMax = 10;

/**
 * Compares what was moved with what a disk hashes to, block by block where it tells them, else as a whole.
 * @throws VerificationError when they differ; TransferError when the disk cannot hash itself
 */
export async function verifyTransfer(verification: Verification): Promise<void> {
  const { seen, hashing, signal } = verification;
  const { algorithm } = seen.hasher;
  if (await compareBlocks(verification)) return;
  if (hashing.sizeBytes !== seen.sizeBytes)
    throw new Error('The service can compare disks of one size only, by their checksum');
  const checksum = await hashing.checksum(algorithm, seen.blockBytes, signal);
  if (checksum === undefined) throw new Error('Neither side can hash itself, so nothing can be verified');
  if (!(await isChecksumOf(checksum, verification)))
    throw new VerificationError('The checksum of what was written is not that of what was read', []);
  verification.onVerified(seen.sizeBytes);
}

/**
 * A service that writes whole blocks of its storage only, as the Python one does, leaves zeroes after the end
 * of a disk that does not end with one, and hashes them too.
 */
const storageBlockBytes = [1, 512, 4096];

async function isChecksumOf(checksum: string, disk: SeenDisk): Promise<boolean> {
  const { sizeBytes } = disk.seen;
  const sizes = new Set(storageBlockBytes.map((bytes) => Math.ceil(sizeBytes / bytes) * bytes));
  for (const paddedBytes of sizes)
    if (checksum === toHex(await checksumOf(disk, paddedBytes - sizeBytes))) return true;
  return false;
}

/** @returns false when the disk does not tell what its blocks hash to */
async function compareBlocks(verification: Verification): Promise<boolean> {
  const { seen, hashing, equal = new RangeSet(), signal, onVerified } = verification;
  const whole = { offsetBytes: 0, lengthBytes: seen.sizeBytes };
  // An empty disk is asked as well: whether it can tell. What is equal grows meanwhile.
  const unknown = seen.sizeBytes === 0 ? [whole] : [...equal.gaps(whole)];
  onVerified(equal.coveredBytes);
  const differing: ByteRange[] = [];
  for (const range of unknown) {
    const blocks = await hashing.digests(seen.hasher.algorithm, seen.blockBytes, range, signal);
    if (blocks === undefined) return false;
    await compareRange(verification, { range, blocks, equal, differing });
    if (differing.length === namedMax) break;
  }
  if (differing.length === 0) return true;
  const places = differing.map(({ offsetBytes, lengthBytes }) => `${offsetBytes}+${lengthBytes}`);
  throw new VerificationError(
    `What was written differs from what was read at ${places.join(', ')}`,
    differing,
  );
}

interface ComparedRange {
  readonly range: ByteRange;
  readonly blocks: AsyncIterable<BlockDigest>;
  /** Gets the blocks that are. */
  readonly equal: RangeSet;
  /** Gets the blocks that do, up to so many as are named. */
  readonly differing: ByteRange[];
}

async function compareRange(
  verification: Verification,
  { range, blocks, equal, differing }: ComparedRange,
): Promise<void> {
  const { seen, onVerified } = verification;
  const first = range.offsetBytes / seen.blockBytes;
  const end = Math.ceil((range.offsetBytes + range.lengthBytes) / seen.blockBytes);
  let index = first;
  for await (const { digest, offsetBytes, lengthBytes } of blocks) {
    if (index === end) throw new VerificationError('There are more blocks than were asked for', []);
    const own = await digestOf(verification, index);
    const block = seen.rangeOf(index);
    const isThere = offsetBytes === block.offsetBytes && lengthBytes === block.lengthBytes;
    if (isThere && toHex(own) === digest) equal.add(block);
    else differing.push(block);
    if (differing.length === namedMax) return;
    onVerified(lengthBytes);
    index += 1;
  }
  if (index === end || differing.length > 0) return;
  throw new VerificationError(`${index - first} of ${end - first} blocks are there to compare`, []);
}

/**
 * The hash of the digests of all blocks of what was seen, as a service makes it.
 * @param paddingBytes zeroes after its end, no more than the last block has room for
 */
export async function checksumOf(verification: SeenDisk, paddingBytes = 0): Promise<Uint8Array> {
  const { seen } = verification;
  const { digestBytes } = seen.hasher;
  const digests = new Uint8Array(seen.blockCount * digestBytes);
  for (let index = 0; index < seen.blockCount; index++) {
    const isPadded = paddingBytes > 0 && index === seen.blockCount - 1;
    const digest = isPadded
      ? await seen.hasher.digest(await readBlock(verification, index, paddingBytes))
      : await digestOf(verification, index);
    digests.set(digest, index * digestBytes);
  }
  return seen.hasher.digest(digests);
}

async function digestOf(disk: SeenDisk, index: number): Promise<Uint8Array> {
  const { seen } = disk;
  const known = await seen.of(index);
  if (known !== undefined) return known;
  return seen.hasher.digest(await readBlock(disk, index));
}

async function readBlock(
  { seen, other, signal }: SeenDisk,
  index: number,
  paddingBytes = 0,
): Promise<Uint8Array> {
  const { offsetBytes, lengthBytes } = seen.rangeOf(index);
  const data = new Uint8Array(lengthBytes + paddingBytes);
  await other.read(data.subarray(0, lengthBytes), offsetBytes, signal);
  return data;
}
