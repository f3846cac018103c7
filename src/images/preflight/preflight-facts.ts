import type { StorageTrouble } from '../../base/errors.js';
import type { TicketAccess } from '../../tickets/ticket-definition.js';

/** What a client means to do. */
export interface TransferPlan {
  readonly op: TicketAccess;
  /** Bytes of the image that it is about; undefined for as many as the ticket allows. */
  readonly sizeBytes: number | undefined;
  /** What the client calls the format of its data, such as `qcow2`. */
  readonly format: string | undefined;
}

/** What a ticket says of a transfer. */
export interface TicketFacts {
  readonly sizeBytes: number;
  /** How long it lasts when nothing is done with it. */
  readonly remainingSeconds: number;
  readonly inactivityTimeoutSeconds: number;
  /** Zeroes are deallocated, not allocated. */
  readonly sparse: boolean;
  /** Dirty extents may be asked for. */
  readonly dirty: boolean;
}

/** What an image that could be opened says of a transfer. */
export interface ImageFacts {
  /** What its storage is called in logs, e.g. `file`. */
  readonly kind: string;
  readonly sizeBytes: number;
  /** Writing past its end makes it larger. */
  readonly growable: boolean;
  readonly blockSizeBytes: number;
  /** Undefined where the storage does not tell. */
  readonly allocatedBytes: number | undefined;
  /** Undefined where the storage does not tell. */
  readonly freeBytes: number | undefined;
  /** All that the ticket may touch reads as zeroes; undefined where that was not found out. */
  readonly readsAsZero: boolean | undefined;
  readonly canDirtyExtents: boolean;
  readonly readersMax: number;
  readonly writersMax: number;
}

export interface PreflightFacts {
  readonly plan: TransferPlan;
  readonly ticket: TicketFacts;
  /** The image, or why it could not be opened. */
  readonly image: ImageFacts | StorageTrouble;
}
