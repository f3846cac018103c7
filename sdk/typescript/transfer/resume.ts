import { RangeSet } from './byte-ranges.js';
import {
  isHashing,
  type DurableRanges,
  type HashingDisk,
  type ReadableDisk,
  type WritableDisk,
} from './disk.js';
import { toHex, type Hasher } from './hashing.js';
import type { TransferState } from './transfer-state.js';

export interface Resumption {
  readonly state: TransferState;
  /** What the target knows of this transfer now; undefined when it does not keep account. */
  readonly known: DurableRanges | undefined;
  readonly source: ReadableDisk;
  readonly target: WritableDisk;
  readonly sourceIdentity: string;
  readonly targetIdentity: string;
  readonly hasher: Hasher;
  readonly blockBytes: number;
  readonly signal: AbortSignal;
}

/**
 * What a run before has left on the target. The target knows best, unless it has lost its account, has one
 * that is of others too, or is another target: then the blocks are compared. Without digests to compare, what
 * was flushed to the same target counts. To be called when the target was flushed: what has only been written
 * looks as if it were there.
 * @throws Error when the source is not the same any more, and cannot be compared: what is there may be of
 *   another disk
 */
export async function rangesThere(resumption: Resumption): Promise<RangeSet> {
  const { state, known, source, target, sourceIdentity, targetIdentity } = resumption;
  if (state.sizeBytes !== source.sizeBytes) throw changed();
  const durable = RangeSet.of(state.durable);
  if (state.sourceIdentity !== sourceIdentity) {
    const equal = isHashing(source) ? await equalBlocks(source, target, resumption) : undefined;
    if (equal === undefined) throw changed();
    return equal;
  }
  const isSameTarget = state.targetIdentity === targetIdentity;
  if (isSameTarget && known !== undefined && state.ownsAccount === true) {
    const account = RangeSet.of(known.ranges);
    // A service that was restarted may have begun a new account of the same ticket.
    if (state.durable.every((range) => account.has(range))) return account;
  }
  if (durable.coveredBytes === 0) return durable;
  const equal = isHashing(target) ? await equalBlocks(target, source, resumption) : undefined;
  return equal ?? (isSameTarget ? durable : new RangeSet());
}

function changed(): Error {
  return new Error('The source has changed since the transfer began: start it anew');
}

/** @returns undefined when the one that hashes cannot tell digests */
async function equalBlocks(
  hashing: HashingDisk,
  other: ReadableDisk,
  { source, hasher, blockBytes, signal }: Resumption,
): Promise<RangeSet | undefined> {
  const blocks = await hashing.digests(hasher.algorithm, blockBytes, source.sizeBytes, signal);
  if (blocks === undefined) return undefined;
  const equal = new RangeSet();
  const buffer = new Uint8Array(blockBytes);
  for await (const { offsetBytes, lengthBytes, digest } of blocks) {
    const data = buffer.subarray(0, lengthBytes);
    await other.read(data, offsetBytes, signal);
    if (toHex(await hasher.digest(data)) === digest) equal.add({ offsetBytes, lengthBytes });
  }
  return equal;
}
