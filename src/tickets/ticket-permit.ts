import type { AbortRoot, Permit } from '../base/lease.js';
import type { ByteRange } from '../base/units.js';
import type { OperationKind } from '../contract/operation-kind.js';
import type { TicketDefinition } from './ticket-definition.js';
import type { ReceivedRanges } from './received-ranges.js';
import type { TicketLease, TicketLeaseOptions } from './ticket-lease.js';

/** A client connection that holds the ticket's image open. */
export interface TicketConnection {
  /** Closes the image; resolves when it is closed. */
  close(): Promise<void>;
  /** What another thread does by it; undefined where there is none. */
  readonly elsewhere?: ReadsElsewhere | undefined;
}

/** Downloads of a ticket that another thread answers by itself. */
export interface ReadsElsewhere {
  /** One is running. */
  readonly running: boolean;
  /** Has the ticket told of all that was sent until now, by {@link TicketPermit.readElsewhere}. */
  settle(): void;
  /** None begins any more, and one that runs is ended; resolves when none runs. */
  revoke(): Promise<void>;
}

/**
 * What a client may do with a ticket that was found good for it. There is one object for each ticket, by
 * which is found again what is kept for it.
 */
export interface TicketPermit extends Permit {
  readonly definition: TicketDefinition;
  /** The size for arithmetic: no image reaches 2^53, so a larger ticket is as good as one of that size. */
  readonly sizeBytes: number;
  readonly imageUrl: string;
  readonly writable: boolean;
  /** Which bytes of the image the ticket has brought there. */
  readonly received: ReceivedRanges;
  /** How long the ticket lasts when nothing is done with it; not less than 0. */
  readonly remainingSeconds: number;

  /**
   * Registers an operation that is about to run; the caller ends it whatever happens. When the ticket
   * expires or is cancelled meanwhile, that aborts `root`.
   * @throws NotAllowedError when the ticket does not allow it, or not any more
   */
  begin(kind: OperationKind, root: AbortRoot, options?: TicketLeaseOptions): TicketLease;

  /** The ticket is being removed: what becomes of the image is nobody's concern any more. */
  readonly canceled: boolean;

  /** Has everything that was received before made durable by `flush`. @throws what `flush` throws */
  flush(flush: () => Promise<void>): Promise<void>;

  /** Storage may have forgotten what was received and not made durable. */
  unflushedLost(): void;

  /**
   * A connection has the image open from now on.
   * @throws NotAllowedError when the ticket was cancelled meanwhile: then nobody would close it
   */
  attach(connection: TicketConnection): void;

  detach(connection: TicketConnection): void;

  /** From now on another thread may answer downloads of one of its connections. */
  lent(): void;

  /** Another thread has sent a part of the image. @param atSeconds when, of CLOCK_MONOTONIC */
  readElsewhere(part: ByteRange, atSeconds: number): void;
}
