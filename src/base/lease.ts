import type { ByteRange } from './units.js';

/**
 * Work that can be stopped, such as a request. Whatever stops it does so here, and the first reason counts.
 */
export interface AbortRoot {
  /** Aborted with the error that whoever asked for the work should get. */
  readonly signal: AbortSignal;
  abort(reason: Error): void;
}

/** What a client was found to be allowed. */
export interface Permit {
  /** What logs call the transfer. */
  readonly transferId: string;
  /** How long the connection of a client may be silent. */
  readonly inactivityTimeoutSeconds: number;
}

/**
 * Told of each part of an image that was transferred: once for each I/O, so it must be quick and never throw.
 */
export type ProgressListener = (range: ByteRange) => void;

/**
 * One running operation of a permit. When the permit is withdrawn, the root of the operation is aborted with
 * what to tell the client; nothing else of it has to be watched.
 */
export interface Lease {
  /** That of the root. */
  readonly signal: AbortSignal;
  /** A part of the image was transferred, or is about to be. */
  progressed(range: ByteRange): void;
  /**
   * From now on what is transferred renews the permit, but counts only once `confirm` is called: whether it
   * is right is known at the end.
   */
  holdBack(): void;
  /** All that was held back is right. */
  confirm(): void;
  /** The operation does nothing any more. Idempotent. */
  end(): void;
}
