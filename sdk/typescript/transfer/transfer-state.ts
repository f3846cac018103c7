import { RangeSet, type ByteRange } from './byte-ranges.js';

/**
 * What is remembered of a transfer between two runs of it. It is plain data, to be kept as JSON.
 */
export interface TransferState {
  readonly version: 1;
  readonly sizeBytes: number;
  /** By what the source is known to be the same, e.g. inode, size and time of change of a file. */
  readonly sourceIdentity: string;
  /** On stable storage of the target. */
  readonly durable: readonly ByteRange[];
}

/** Where the state of a transfer is kept: a file, a database of the browser. */
export interface StateStore {
  /** @returns undefined when there is none */
  load(): Promise<TransferState | undefined>;
  /** Replaces it as a whole: whoever is interrupted finds the old one or the new one. */
  save(state: TransferState): Promise<void>;
  /** The transfer is over. */
  remove(): Promise<void>;
}

/**
 * What a run before has left on the target.
 * @throws Error when the source is not the same any more: what is there may be of another disk then
 */
export function resumableRanges(
  state: TransferState | undefined,
  source: { readonly sizeBytes: number; readonly identity: string },
): RangeSet | undefined {
  if (state === undefined) return undefined;
  if (state.sizeBytes !== source.sizeBytes || state.sourceIdentity !== source.identity)
    throw new Error('The source has changed since the transfer began: start it anew');
  return RangeSet.of(state.durable);
}
