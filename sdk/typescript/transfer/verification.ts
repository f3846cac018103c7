import type { BlockDigests } from './block-digests.js';
import type { ByteRange } from './byte-ranges.js';
import type { HashingDisk, ReadableDisk } from './disk.js';
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
  const blocks = await hashing.digests(algorithm, seen.blockBytes, seen.sizeBytes, signal);
  if (blocks !== undefined) {
    await compareBlocks(verification, blocks);
    return;
  }
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

async function compareBlocks(
  verification: Verification,
  blocks: AsyncIterable<ByteRange & { readonly digest: string }>,
): Promise<void> {
  const { seen, onVerified } = verification;
  const differing: ByteRange[] = [];
  let index = 0;
  for await (const { digest, offsetBytes, lengthBytes } of blocks) {
    const own = await digestOf(verification, index);
    const range = seen.rangeOf(index);
    const isThere = offsetBytes === range.offsetBytes && lengthBytes === range.lengthBytes;
    if (!isThere || toHex(own) !== digest) differing.push(range);
    if (differing.length === namedMax) break;
    onVerified(lengthBytes);
    index += 1;
  }
  if (differing.length === 0 && index === seen.blockCount) return;
  if (differing.length === 0)
    throw new VerificationError(`${index} of ${seen.blockCount} blocks are there to compare`, []);
  const places = differing.map(({ offsetBytes, lengthBytes }) => `${offsetBytes}+${lengthBytes}`);
  throw new VerificationError(
    `What was written differs from what was read at ${places.join(', ')}`,
    differing,
  );
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
