import type { ByteRange } from './byte-ranges.js';

/** What is remembered of a transfer between two runs of it. It is plain data, to be kept as JSON. */
export interface TransferState {
  readonly version: 1;
  readonly sizeBytes: number;
  /** By what the source is known to be the same, e.g. inode, size and time of change of a file. */
  readonly sourceIdentity: string;
  /** By what the target is known to be the same, e.g. the url of an image. */
  readonly targetIdentity: string;
  /**
   * The target's account was empty when the transfer began, so what it says now is of this transfer.
   * Otherwise it may say of bytes that they are there which somebody else has written.
   */
  readonly ownsAccount?: boolean;
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
