import type { Clock } from '../clock.js';
import { NotAllowedError } from '../errors.js';
import type { ByteRange } from '../units.js';
import { Operation, type OperationKind, type OperationOwner } from './operation.js';
import { RangeSet } from './range-set.js';
import { WriteOrder } from './write-order.js';

export type TicketAccess = 'read' | 'write';

/** A ticket as it was asked for (docs/protocol.md, "Adding a ticket"). */
export interface TicketDefinition {
  readonly id: string;
  /** Bytes the client may touch. Up to 2^64, which no `number` holds; see `Ticket.sizeBytes`. */
  readonly size: bigint;
  readonly ops: readonly TicketAccess[];
  readonly timeoutSeconds: number;
  readonly inactivityTimeoutSeconds: number;
  readonly url: string;
  /** What logs call the transfer; never the id, which is the secret. */
  readonly transferId: string;
  readonly filename?: string;
  readonly sparse: boolean;
  readonly dirty: boolean;
}

/** What can be told of a ticket at one moment. Wire form: `ticket.dto.ts`. */
export interface TicketInfo extends TicketDefinition {
  /** Whole seconds of CLOCK_MONOTONIC, rounded up so that the ticket lives at least that long. */
  readonly expiresSeconds: number;
  readonly active: boolean;
  readonly canceled: boolean;
  /** Open connections that used the ticket. */
  readonly connections: number;
  /** Whole seconds since the last activity, 0 while an operation runs. */
  readonly idleSeconds: number;
  /** Distinct bytes transferred; undefined for a ticket with both ops, where it would mean nothing. */
  readonly transferredBytes: number | undefined;
}

/** A client connection that holds the ticket's image open. */
export interface TicketConnection {
  /** Closes the image; resolves when it is closed. */
  close(): Promise<void>;
}

// Progress renews the expiry at most this often: nobody looks closer than a second. Short tickets are renewed more often, or they would
// expire between two renewals.
const renewalIntervalSecondsMax = 1;

/**
 * A capability to one image, in memory only. It alone decides what is allowed and computes `active`, `transferred` and expiry; operations
 * and connections register here while they last.
 */
export class Ticket implements OperationOwner {
  /** The size for arithmetic: no image reaches 2^53, so a larger ticket is as good as one of that size. */
  readonly sizeBytes: number;

  readonly #clock: Clock;
  readonly #operations = new Set<Operation>();
  readonly #connections = new Set<TicketConnection>();
  readonly #transferred = new RangeSet();
  readonly #writeOrder = new WriteOrder();
  readonly #idleWaiters: (() => void)[] = [];
  #expiresSeconds: number;
  #activeAtSeconds: number;
  #canceled = false;
  #expiryTimer: NodeJS.Timeout | undefined;
  /** When the timer fires. */
  #timerSeconds = Infinity;

  constructor(
    readonly definition: TicketDefinition,
    clock: Clock,
  ) {
    this.#clock = clock;
    this.sizeBytes = Number(
      definition.size > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : definition.size,
    );
    this.#activeAtSeconds = clock.monotonicSeconds();
    this.#expiresSeconds = this.#activeAtSeconds + definition.timeoutSeconds;
  }

  get transferId(): string {
    return this.definition.transferId;
  }

  get imageUrl(): string {
    return this.definition.url;
  }

  get canceled(): boolean {
    return this.#canceled;
  }

  get active(): boolean {
    return this.#operations.size > 0;
  }

  get writable(): boolean {
    return this.definition.ops.includes('write');
  }

  /** @throws NotAllowedError when the ticket was cancelled, has expired or forbids `access`; "write" implies "read" */
  authorize(access: TicketAccess): void {
    if (this.#canceled) throw new NotAllowedError('Ticket was canceled');
    if (this.#clock.monotonicSeconds() >= this.#expiresSeconds) throw new NotAllowedError('Ticket expired');
    if (access === 'write' && !this.writable) throw new NotAllowedError('Ticket does not allow write');
  }

  /**
   * Registers an operation that is about to run; the caller ends it whatever happens.
   * @param changes all of the image that it may change; absent when it changes nothing
   */
  begin(kind: OperationKind, changes?: ByteRange): Operation {
    this.authorize(kind === 'write' || kind === 'zero' || kind === 'flush' ? 'write' : 'read');
    const operation = new Operation(
      this,
      kind,
      changes === undefined ? undefined : this.#writeOrder.begin(changes),
    );
    this.#operations.add(operation);
    this.#scheduleExpiry();
    return operation;
  }

  /** Renews the expiry without an operation: OPTIONS does it. */
  touch(): void {
    this.#activeAtSeconds = this.#clock.monotonicSeconds();
    this.#expiresSeconds = this.#activeAtSeconds + this.definition.timeoutSeconds;
  }

  /** Sets the expiry to `timeoutSeconds` from now, also of an expired ticket; its own timeout stays. */
  extend(timeoutSeconds: number): void {
    this.#expiresSeconds = this.#clock.monotonicSeconds() + timeoutSeconds;
    this.#scheduleExpiry();
  }

  /**
   * A connection has the image open from now on.
   * @throws NotAllowedError when the ticket was cancelled meanwhile: then nobody would close it
   */
  attach(connection: TicketConnection): void {
    if (this.#canceled) throw new NotAllowedError('Ticket was canceled');
    this.#connections.add(connection);
  }

  detach(connection: TicketConnection): void {
    this.#connections.delete(connection);
  }

  /** New requests are refused and running operations stop after the I/O in flight. */
  cancel(): void {
    this.#canceled = true;
    clearTimeout(this.#expiryTimer);
    for (const operation of this.#operations) operation.abort(new NotAllowedError('Ticket was canceled'));
  }

  /** Resolves when no operation runs and no connection has the image open. Meant for a cancelled ticket. */
  async closed(): Promise<void> {
    while (this.#operations.size > 0) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
    await Promise.all(
      [...this.#connections].map(async (connection) => {
        await connection.close();
        this.#connections.delete(connection);
      }),
    );
  }

  info(): TicketInfo {
    return {
      ...this.definition,
      expiresSeconds: Math.ceil(this.#expiresSeconds),
      active: this.active,
      canceled: this.#canceled,
      connections: this.#connections.size,
      idleSeconds: this.active ? 0 : Math.floor(this.#clock.monotonicSeconds() - this.#activeAtSeconds),
      transferredBytes: new Set(this.definition.ops).size > 1 ? undefined : this.#transferred.coveredBytes,
    };
  }

  progressed(operation: Operation, { offsetBytes, lengthBytes }: ByteRange): void {
    if (this.#counts(operation.kind)) this.#transferred.add(offsetBytes, offsetBytes + lengthBytes);
    const intervalSeconds = Math.min(renewalIntervalSecondsMax, this.definition.timeoutSeconds / 4);
    if (this.#clock.monotonicSeconds() - this.#activeAtSeconds >= intervalSeconds) this.touch();
  }

  ended(operation: Operation): void {
    this.#operations.delete(operation);
    // An operation that was stopped because its ticket expired must not revive it.
    if (operation.signal.aborted) this.#activeAtSeconds = this.#clock.monotonicSeconds();
    else this.touch();
    if (this.#operations.size > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  /** The direction the ticket was made for: a write ticket's progress is what was written, though it may read as well. */
  #counts(kind: OperationKind): boolean {
    return this.writable ? kind === 'write' || kind === 'zero' : kind === 'read';
  }

  /**
   * While operations run, stops them at expiry. One that moves bytes renews the expiry, so the timer usually finds a later one and
   * waits for that. It outlives the operations, as short ones would set and clear it thousands of times a second.
   */
  #scheduleExpiry(): void {
    if (this.#operations.size === 0 || this.#canceled || this.#timerSeconds <= this.#expiresSeconds) return;
    clearTimeout(this.#expiryTimer);
    const nowSeconds = this.#clock.monotonicSeconds();
    const remainingMilliseconds = Math.max(0, Math.ceil((this.#expiresSeconds - nowSeconds) * 1000));
    const delayMilliseconds = Math.min(remainingMilliseconds, timerMillisecondsMax);
    this.#timerSeconds = nowSeconds + delayMilliseconds / 1000;
    this.#expiryTimer = setTimeout(() => {
      this.#timerSeconds = Infinity;
      if (this.#clock.monotonicSeconds() < this.#expiresSeconds) {
        this.#scheduleExpiry();
        return;
      }
      for (const operation of this.#operations) operation.abort(new NotAllowedError('Ticket expired'));
    }, delayMilliseconds);
    this.#expiryTimer.unref();
  }
}

// setTimeout fires at once for anything longer (2^31 - 1 ms, 24.8 days).
const timerMillisecondsMax = 2_147_483_647;
