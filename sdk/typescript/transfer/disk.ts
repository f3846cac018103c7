import type { ByteRange } from './byte-ranges.js';

/** A part of a disk that is alike throughout. */
export interface DiskExtent extends ByteRange {
  /** It reads as zeroes. */
  readonly zero: boolean;
  /** Storage has nothing there; of a layer of a disk: the layer has nothing. Absent where nobody knows. */
  readonly hole?: boolean;
}

/** One thing that is known before a transfer. */
export interface Finding {
  /** For programs; those of a service are in docs/transfers.md. */
  readonly code: string;
  /** The transfer fails, may fail or come out otherwise than meant, or can be made faster. */
  readonly severity: 'error' | 'warning' | 'info';
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
}

/** What a disk says of a transfer before it; what it does not know is undefined. */
export interface Preflight {
  readonly findings: readonly Finding[];
  /** How large the disk is at most, when all is written that may be. */
  readonly capacityBytes?: number | undefined;
  /** What the disk has of its storage already, and may get besides. */
  readonly allocatedBytes?: number | undefined;
  readonly freeBytes?: number | undefined;
  readonly readsAsZero?: boolean | undefined;
}

/** What is to be done with a disk, from its first byte on. */
export interface TransferPlan {
  readonly op: 'read' | 'write';
  readonly sizeBytes: number;
}

/**
 * A disk that is read: a file, an NBD export, an image of a service, a `Blob`. Calls may run at once, and all
 * are positional.
 */
export interface ReadableDisk {
  readonly sizeBytes: number;
  /**
   * Which parts are data and which are zeroes, in order, without gaps, up to the size. A disk that cannot
   * tell says that all is data.
   */
  extents(signal: AbortSignal): AsyncIterable<DiskExtent>;
  /** Fills all of `target` with what is at `offsetBytes`. @throws when the disk ends before that */
  read(target: Uint8Array, offsetBytes: number, signal: AbortSignal): Promise<void>;
  /**
   * Memory that the disk reads into, or writes from, without a copy; it is the caller's then. A disk without
   * it has no wishes.
   */
  memory?(lengthBytes: number): Uint8Array;
  /**
   * Looks whether the plan would fail, and changes nothing. A disk without it says no more than its size.
   * @returns undefined when it cannot look
   */
  preflight?(plan: TransferPlan, signal: AbortSignal): Promise<Preflight | undefined>;
  /** Lets go of what it has open. Idempotent. */
  close(): Promise<void>;
}

/** What a disk knows of what was written to it. */
export interface DurableRanges {
  readonly ranges: Iterable<ByteRange>;
  /** All that it has taken, the durable bytes among them. */
  readonly receivedBytes: number;
  /** Another one when something that had been taken was lost, so that it has to be written again. */
  readonly generation: number;
}

/** A disk that is written. */
export interface WritableDisk extends ReadableDisk {
  /** What is written past its size may make it larger; who refuses that says so then. */
  readonly growable: boolean;
  write(data: Uint8Array, offsetBytes: number, signal: AbortSignal): Promise<void>;
  /** Makes `range`, which may be the whole disk, read as zeroes. */
  zero(range: ByteRange, signal: AbortSignal): Promise<void>;
  /** Resolves when all that was written before is on stable storage. */
  flush(signal: AbortSignal): Promise<void>;
  /**
   * What of the transfer is on stable storage, as far as the disk knows it itself.
   * @returns undefined when it does not know
   */
  durable(signal: AbortSignal): Promise<DurableRanges | undefined>;
}

/** What a block of a disk hashes to. */
export interface BlockDigest extends ByteRange {
  /** In lower case hex. */
  readonly digest: string;
}

/** A disk that hashes itself where it is, so that its bytes need not be moved to be compared. */
export interface HashingDisk extends ReadableDisk {
  /**
   * @param range how much of it
   * @param blockBytes into which that is cut, from its start on; the last may be shorter
   * @param algorithm as the service calls it, e.g. `sha256`
   * @returns undefined when it cannot
   */
  digests(
    algorithm: string,
    blockBytes: number,
    range: ByteRange,
    signal: AbortSignal,
  ): Promise<AsyncIterable<BlockDigest> | undefined>;
  /**
   * The hash of the digests of all blocks, in hex.
   * @returns undefined when it cannot
   */
  checksum(algorithm: string, blockBytes: number, signal: AbortSignal): Promise<string | undefined>;
}

export function isHashing(disk: ReadableDisk): disk is HashingDisk {
  return 'digests' in disk && 'checksum' in disk;
}
