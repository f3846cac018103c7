import { RangeSet } from './byte-ranges.js';
import { isHashing, type DurableRanges, type ReadableDisk, type WritableDisk } from './disk.js';
import { equalBlocks, type Comparison } from './equal-blocks.js';
import { SourceChangedError } from './failure.js';
import type { Hasher } from './hashing.js';
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

/** Disks are compared in blocks of no more: all of a block in which one byte differs is moved again. */
const comparedBytesMax = 2 ** 20;

/**
 * What a run before has left on the target. The target knows best, unless it has lost its account, has one
 * that is of others too, or is another target: then the blocks are compared. Without digests to compare, what
 * was flushed to the same target counts. To be called when the target was flushed: what has only been written
 * looks as if it were there.
 * @throws SourceChangedError when the source is not the same any more, and cannot be compared: what is there
 *   may be of another disk
 */
export async function rangesThere(resumption: Resumption): Promise<RangeSet> {
  const { state, known, source, target, sourceIdentity, targetIdentity } = resumption;
  if (state.sizeBytes !== source.sizeBytes) throw new SourceChangedError();
  const durable = RangeSet.of(state.durable);
  const { hasher, signal } = resumption;
  const comparison: Comparison = {
    ...{ sizeBytes: source.sizeBytes, hasher, signal },
    blockBytes: Math.min(resumption.blockBytes, comparedBytesMax),
  };
  if (state.sourceIdentity !== sourceIdentity) {
    const equal = isHashing(source) ? await equalBlocks(source, target, comparison) : undefined;
    if (equal === undefined) throw new SourceChangedError();
    return equal;
  }
  const isSameTarget = state.targetIdentity === targetIdentity;
  if (isSameTarget && known !== undefined && state.ownsAccount === true) {
    const account = RangeSet.of(known.ranges);
    // A service that was restarted may have begun a new account of the same ticket.
    if (state.durable.every((range) => account.has(range))) return account;
  }
  if (durable.coveredBytes === 0) return durable;
  const equal = isHashing(target) ? await equalBlocks(target, source, comparison) : undefined;
  return equal ?? (isSameTarget ? durable : new RangeSet());
}
