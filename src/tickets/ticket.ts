import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { NotAllowedError } from '../base/errors.js';
import type { AbortRoot } from '../base/lease.js';
import type { ByteRange } from '../base/units.js';
import type { OperationKind } from '../contract/operation-kind.js';
import { RangeSet } from './range-set.js';
import { ReceivedRanges } from './received-ranges.js';
import type { SavedTicket, TicketState } from './saved-ticket.js';
import type { TicketAccess, TicketDefinition } from './ticket-definition.js';
import { type LeaseOwner, TicketLease, type TicketLeaseOptions } from './ticket-lease.js';
import type { ReadsElsewhere, TicketConnection, TicketPermit } from './ticket-permit.js';
import { TicketWatchers, type TicketEventKind } from './ticket-watch.js';
import { WriteOrder } from './write-order.js';

/** The state of a ticket at one moment. Wire form: `ticket.dto.ts`. */
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
  /** Bytes moved in either direction, those that were sent twice counted twice: what a speed is made of. */
  readonly movedBytes: number;
  /** Bytes of the image that the ticket has brought there, the durable ones among them. */
  readonly receivedBytes: number;
  /** Those of them that a loss of power would not undo. */
  readonly durableBytes: number;
  /** Names this state: that of any other state differs, also of a ticket that has the same id later. */
  readonly stateId: string;
}

// Progress renews the expiry at most this often: nobody looks closer than a second. Short tickets are
// renewed more often, or they would expire between two renewals.
const renewalIntervalSecondsMax = 1;

/** So many ranges of what was transferred outlive the process; with more, the progress told goes back. */
const savedRangesMax = 1024;

export interface TicketOptions {
  /** How many separate ranges of what was received are remembered. */
  readonly rangesMax: number;
}

/**
 * A capability to one image, in memory only. It alone decides what is allowed and computes `active`,
 * `transferred` and expiry; operations and connections register here while they last. Others than its store
 * know it as a {@link TicketPermit}.
 */
export class Ticket implements TicketPermit, LeaseOwner {
  readonly sizeBytes: number;
  readonly received: ReceivedRanges;

  readonly #clock: Clock;
  /** The running operations, each with the root to abort in order to stop it. */
  readonly #leases = new Map<TicketLease, AbortRoot>();
  readonly #connections = new Set<TicketConnection>();
  readonly #transferred = new RangeSet();
  readonly #writeOrder = new WriteOrder();
  readonly #idleWaiters: (() => void)[] = [];
  readonly #watchers: TicketWatchers;
  /** Distinguishes it from others that had or will have its id. */
  #instance: string | undefined;
  #changes = 0;
  #movedBytes = 0;
  #expiresSeconds: number;
  #activeAtSeconds: number;
  #canceled = false;
  #expiryTimer: NodeJS.Timeout | undefined;
  /** When the timer fires. */
  #timerSeconds = Infinity;

  constructor(
    readonly definition: TicketDefinition,
    clock: Clock,
    { rangesMax }: TicketOptions,
    watchers = new TicketWatchers(),
  ) {
    this.#clock = clock;
    this.#watchers = watchers;
    this.received = new ReceivedRanges(rangesMax);
    this.sizeBytes = Number(
      definition.size > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : definition.size,
    );
    this.#activeAtSeconds = clock.monotonicSeconds();
    this.#expiresSeconds = this.#activeAtSeconds + definition.timeoutSeconds;
  }

  get transferId(): string {
    return this.definition.transferId;
  }

  get inactivityTimeoutSeconds(): number {
    return this.definition.inactivityTimeoutSeconds;
  }

  get imageUrl(): string {
    return this.definition.url;
  }

  /** What the process that comes next has to know, beside the definition and what was received. */
  get state(): TicketState {
    this.#settle();
    return {
      expiresSeconds: this.#expiresSeconds,
      activeAtSeconds: this.#activeAtSeconds,
      canceled: this.#canceled,
      transferred: this.#transferred.first(savedRangesMax),
    };
  }

  /** Goes on where the process before this one was: the time that has passed since counts. */
  restore({ state, received }: SavedTicket): void {
    this.#expiresSeconds = state.expiresSeconds;
    this.#activeAtSeconds = state.activeAtSeconds;
    this.#canceled = state.canceled;
    for (const [start, end] of state.transferred) this.#transferred.add(start, end);
    this.received.restore(received);
  }

  get remainingSeconds(): number {
    return Math.max(0, this.#expiresSeconds - this.#clock.monotonicSeconds());
  }

  get canceled(): boolean {
    return this.#canceled;
  }

  get active(): boolean {
    return this.#leases.size > 0 || this.#elsewhere.some(({ running }) => running);
  }

  get writable(): boolean {
    return this.definition.ops.includes('write');
  }

  /**
   * @throws NotAllowedError when the ticket was cancelled, has expired or forbids
   *   `access`; "write" implies "read"
   */
  authorize(access: TicketAccess): void {
    if (this.#canceled) throw new NotAllowedError('Ticket was canceled');
    if (this.#isExpired) throw new NotAllowedError('Ticket expired');
    if (access === 'write' && !this.writable) throw new NotAllowedError('Ticket does not allow write');
  }

  begin(kind: OperationKind, root: AbortRoot, { changes, onProgress }: TicketLeaseOptions = {}): TicketLease {
    this.authorize(kind === 'write' || kind === 'zero' || kind === 'flush' ? 'write' : 'read');
    const write = changes === undefined ? undefined : this.#writeOrder.begin(changes);
    const lease = new TicketLease(this, kind, root.signal, write, onProgress);
    this.#leases.set(lease, root);
    this.#scheduleExpiry();
    this.#tell('changed');
    return lease;
  }

  /** Renews the expiry without an operation: OPTIONS does it. */
  touch(): void {
    this.#activeAtSeconds = this.#clock.monotonicSeconds();
    this.#expiresSeconds = this.#activeAtSeconds + this.definition.timeoutSeconds;
  }

  /** Sets the expiry to `timeoutSeconds` from now, also of an expired ticket; its own timeout stays. */
  extend(timeoutSeconds: number): void {
    this.#settle();
    this.#expiresSeconds = this.#clock.monotonicSeconds() + timeoutSeconds;
    this.#scheduleExpiry();
    this.#tell('extended');
  }

  /** Somebody watches it from now on, and so has to hear when it expires. */
  watched(): void {
    this.#scheduleExpiry();
  }

  attach(connection: TicketConnection): void {
    if (this.#canceled) throw new NotAllowedError('Ticket was canceled');
    this.#connections.add(connection);
    this.#tell('changed');
  }

  detach(connection: TicketConnection): void {
    if (this.#connections.delete(connection)) this.#tell('changed');
  }

  lent(): void {
    this.#scheduleExpiry();
  }

  readElsewhere({ offsetBytes, lengthBytes }: ByteRange, atSeconds: number): void {
    if (this.#counts('read')) this.#transferred.add(offsetBytes, offsetBytes + lengthBytes);
    if (atSeconds > this.#activeAtSeconds) {
      this.#activeAtSeconds = atSeconds;
      this.#expiresSeconds = atSeconds + this.definition.timeoutSeconds;
    }
    this.#movedBytes += lengthBytes;
    this.#tell('changed');
  }

  /** New requests are refused and running operations stop after the I/O in flight. */
  cancel(): void {
    const isNews = !this.#canceled;
    this.#canceled = true;
    clearTimeout(this.#expiryTimer);
    if (isNews) this.#tell('cancelled');
    this.#stop(new NotAllowedError('Ticket was canceled'));
  }

  /** Resolves when no operation runs and no connection has the image open. Meant for a cancelled ticket. */
  async closed(): Promise<void> {
    while (this.#leases.size > 0) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
    await Promise.all(
      [...this.#connections].map(async (connection) => {
        await connection.close();
        this.detach(connection);
      }),
    );
  }

  info(): TicketInfo {
    this.#settle();
    return {
      ...this.definition,
      expiresSeconds: Math.ceil(this.#expiresSeconds),
      active: this.active,
      canceled: this.#canceled,
      connections: this.#connections.size,
      idleSeconds: this.active ? 0 : Math.floor(this.#clock.monotonicSeconds() - this.#activeAtSeconds),
      transferredBytes: new Set(this.definition.ops).size > 1 ? undefined : this.#transferred.coveredBytes,
      movedBytes: this.#movedBytes,
      receivedBytes: this.received.receivedBytes,
      durableBytes: this.received.durableBytes,
      stateId: this.#stateId,
    };
  }

  progressed({ kind }: TicketLease, { offsetBytes, lengthBytes }: ByteRange): void {
    if (this.#counts(kind)) this.#transferred.add(offsetBytes, offsetBytes + lengthBytes);
    this.moved(lengthBytes);
  }

  moved(lengthBytes: number): void {
    const intervalSeconds = Math.min(renewalIntervalSecondsMax, this.definition.timeoutSeconds / 4);
    if (this.#clock.monotonicSeconds() - this.#activeAtSeconds >= intervalSeconds) this.touch();
    this.#movedBytes += lengthBytes;
    this.#tell('changed');
  }

  async flush(flush: () => Promise<void>): Promise<void> {
    await this.received.flush(flush);
    this.#tell('flushed');
  }

  unflushedLost(): void {
    this.received.takeBack();
    this.#tell('changed');
  }

  ended(lease: TicketLease): void {
    this.#leases.delete(lease);
    // An operation that was stopped because its ticket expired must not revive it.
    if (lease.signal.aborted) this.#activeAtSeconds = this.#clock.monotonicSeconds();
    // Whoever only asks how a ticket stands must not prolong it.
    else if (lease.kind !== 'preflight') this.touch();
    this.#tell('changed');
    if (this.#leases.size > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  get #stateId(): string {
    this.#instance ??= randomUUID();
    return `${this.#instance}-${this.#changes}`;
  }

  #tell(kind: TicketEventKind): void {
    this.#changes++;
    this.#watchers.tell(kind, this.definition.id);
  }

  #stop(reason: Error): void {
    for (const root of this.#leases.values()) root.abort(reason);
    for (const reads of this.#elsewhere) void reads.revoke();
  }

  /** What other threads do by its connections. */
  get #elsewhere(): readonly ReadsElsewhere[] {
    const all: ReadsElsewhere[] = [];
    for (const { elsewhere } of this.#connections) if (elsewhere !== undefined) all.push(elsewhere);
    return all;
  }

  /** Takes account of what other threads have sent until now. */
  #settle(): void {
    for (const reads of this.#elsewhere) reads.settle();
  }

  get #isExpired(): boolean {
    if (this.#clock.monotonicSeconds() < this.#expiresSeconds) return false;
    // What another thread has sent may have renewed it.
    this.#settle();
    return this.#clock.monotonicSeconds() >= this.#expiresSeconds;
  }

  /**
   * Whether an operation of this kind counts as progress. For a ticket that allows writing only what is
   * written counts, although it may be read as well.
   */
  #counts(kind: OperationKind): boolean {
    return this.writable ? kind === 'write' || kind === 'zero' : kind === 'read';
  }

  /**
   * Sets a timer that stops the running operations when the ticket expires, and tells those who watch it.
   * Each operation that moves bytes renews the expiry, so when the timer fires the expiry is usually later,
   * and the timer is set again. It is not cleared when the last operation ends: short operations would set
   * and clear it thousands of times a second.
   */
  #scheduleExpiry(): void {
    if (this.#canceled || this.#timerSeconds <= this.#expiresSeconds) return;
    const nowSeconds = this.#clock.monotonicSeconds();
    const remainingSeconds = this.#expiresSeconds - nowSeconds;
    const mayRun = this.#leases.size > 0 || this.#elsewhere.length > 0;
    if (!mayRun && (remainingSeconds <= 0 || !this.#watchers.isWatched(this.definition.id))) return;
    clearTimeout(this.#expiryTimer);
    const remainingMilliseconds = Math.max(0, Math.ceil(remainingSeconds * 1000));
    const delayMilliseconds = Math.min(remainingMilliseconds, timerMillisecondsMax);
    this.#timerSeconds = nowSeconds + delayMilliseconds / 1000;
    this.#expiryTimer = setTimeout(() => {
      this.#timerSeconds = Infinity;
      if (!this.#isExpired) {
        this.#scheduleExpiry();
        return;
      }
      this.#stop(new NotAllowedError('Ticket expired'));
      this.#tell('expired');
    }, delayMilliseconds);
    this.#expiryTimer.unref();
  }
}

// setTimeout fires at once for anything longer (2^31 - 1 ms, 24.8 days).
const timerMillisecondsMax = 2_147_483_647;
