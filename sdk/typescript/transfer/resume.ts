import { RangeSet } from './byte-ranges.js';
import { isHashing, type DurableRanges, type ReadableDisk, type WritableDisk } from './disk.js';
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
 * What a run before has left on the target. The target knows best, unless it has lost its account or is
 * another one: then the blocks are compared that were flushed. Without digests to compare, what was flushed
 * to the same target counts.
 * @throws Error when the source is not the same any more: what is there may be of another disk
 */
export async function rangesThere(resumption: Resumption): Promise<RangeSet> {
  const { state, known, source, target, sourceIdentity, targetIdentity } = resumption;
  if (state.sizeBytes !== source.sizeBytes || state.sourceIdentity !== sourceIdentity)
    throw new Error('The source has changed since the transfer began: start it anew');
  const isSameTarget = state.targetIdentity === targetIdentity;
  const durable = RangeSet.of(state.durable);
  if (isSameTarget && known !== undefined) {
    const account = RangeSet.of(known.ranges);
    // A service that was restarted may have begun a new account of the same ticket.
    if (state.durable.every((range) => account.has(range))) return account;
  }
  if (durable.coveredBytes === 0) return durable;
  return (isHashing(target) && (await equalBlocks(resumption))) || (isSameTarget ? durable : new RangeSet());
}

/** @returns undefined when the target cannot tell digests */
async function equalBlocks(resumption: Resumption): Promise<RangeSet | undefined> {
  const { source, target, hasher, blockBytes, signal } = resumption;
  if (!isHashing(target)) return undefined;
  const blocks = await target.digests(hasher.algorithm, blockBytes, source.sizeBytes, signal);
  if (blocks === undefined) return undefined;
  const equal = new RangeSet();
  const buffer = new Uint8Array(blockBytes);
  for await (const { offsetBytes, lengthBytes, digest } of blocks) {
    const data = buffer.subarray(0, lengthBytes);
    await source.read(data, offsetBytes, signal);
    if (toHex(await hasher.digest(data)) === digest) equal.add({ offsetBytes, lengthBytes });
  }
  return equal;
}
