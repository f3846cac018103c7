import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../base/clock.js';
import { ConflictError, NotAllowedError, NotFoundError, UnavailableError } from '../base/errors.js';
import type { SavedTicket } from './saved-ticket.js';
import type { ReceivedPage, ReceivedPageRequest } from './received-ranges.js';
import type { TicketAccess, TicketDefinition } from './ticket-definition.js';
import type { TicketPermit } from './ticket-permit.js';
import { TicketWatchers, type TicketListener } from './ticket-watch.js';
import { Ticket, type TicketInfo } from './ticket.js';
import type { TicketStore } from './ticket.store.js';
import { settledWithin } from '../base/settled-within.js';

export interface MemoryTicketStoreOptions {
  /** How long removing waits for running operations; 0 does not wait. */
  readonly removeTimeoutSeconds: number;
  /** How many tickets may exist: bounds memory against a caller that never removes them. */
  readonly ticketsMax: number;
  /** How many separate ranges of what a ticket has received are remembered. */
  readonly rangesMax: number;
}

// With remove_timeout 0 an idle ticket must still be removable: closing its idle images takes a moment.
const closeTimeoutSecondsMin = 1;

/**
 * What is done with all tickets is done with so many before other requests have their turn: each takes
 * microseconds.
 */
const ticketsAtOnce = 100;

/** Where tickets are kept for the process that comes next. */
export interface TicketKeeper {
  /** Resolves when all that has happened to tickets is kept. */
  written(): Promise<void>;
  /** Bytes that were durable are about to change; resolves when nobody will take them for durable. */
  withdrawn(id: string, start: number, end: number): Promise<void>;
}

/** The tickets of one process, which a {@link TicketKeeper} may keep for the next one. */
export class MemoryTicketStore implements TicketStore {
  readonly #tickets = new Map<string, Ticket>();
  readonly #watchers = new TicketWatchers();
  #keeper: TicketKeeper | undefined;

  constructor(
    private readonly options: MemoryTicketStoreOptions,
    private readonly clock: Clock,
  ) {}

  async add(definition: TicketDefinition): Promise<void> {
    const old = this.#tickets.get(definition.id);
    if (old?.active) {
      throw new ConflictError(
        `Ticket of transfer ${old.transferId} is in use, its operations are still running`,
      );
    }
    if (old === undefined && this.#tickets.size >= this.options.ticketsMax) {
      throw new UnavailableError(`Too many tickets, the limit is ${this.options.ticketsMax}`);
    }
    const ticket = this.#make(definition);
    this.#tickets.set(definition.id, ticket);
    if (old !== undefined) {
      old.cancel();
      this.#watchers.tell('removed', definition.id);
    }
    this.#watchers.tell('added', definition.id);
    ticket.watched();
    await old?.closed();
    await this.#keeper?.written();
  }

  /** Has all that happens from now on kept, before it is acknowledged. */
  keepIn(keeper: TicketKeeper): void {
    this.#keeper = keeper;
    for (const ticket of this.#tickets.values()) this.#keepRanges(ticket);
  }

  /** Adds a ticket as the process before this one has left it. */
  restore(saved: SavedTicket): void {
    const ticket = this.#make(saved.definition);
    ticket.restore(saved);
    this.#tickets.set(saved.definition.id, ticket);
  }

  ticket(id: string): Ticket | undefined {
    return this.#tickets.get(id);
  }

  all(): Iterable<Ticket> {
    return this.#tickets.values();
  }

  async info(id: string): Promise<TicketInfo> {
    return this.#find(id).info();
  }

  async received(id: string, page: ReceivedPageRequest): Promise<{ page: ReceivedPage; sizeBytes: number }> {
    const { received, sizeBytes } = this.#find(id);
    return { page: received.page(page), sizeBytes };
  }

  async find(id: string): Promise<TicketDefinition | undefined> {
    return this.#tickets.get(id)?.definition;
  }

  async *list(): AsyncGenerator<readonly TicketInfo[]> {
    let part: TicketInfo[] = [];
    for (const ticket of this.#tickets.values()) {
      part.push(ticket.info());
      if (part.length < ticketsAtOnce) continue;
      yield part;
      part = [];
      await setImmediate();
    }
    if (part.length > 0) yield part;
  }

  async count(): Promise<number> {
    return this.#tickets.size;
  }

  async extend(id: string, timeoutSeconds: number): Promise<void> {
    this.#find(id).extend(timeoutSeconds);
    await this.#keeper?.written();
  }

  async remove(id: string): Promise<void> {
    const ticket = this.#tickets.get(id);
    if (ticket !== undefined) await this.#remove(id, ticket);
    await this.#keeper?.written();
  }

  async removeAll(): Promise<void> {
    const failures: Error[] = [];
    const removals: Promise<void>[] = [];
    for (const [id, ticket] of [...this.#tickets]) {
      const removed = this.#remove(id, ticket).catch((error: unknown) => {
        failures.push(error as Error);
      });
      if (removals.push(removed) % ticketsAtOnce === 0) await setImmediate();
    }
    await Promise.all(removals);
    await this.#keeper?.written();
    const [failure] = failures;
    if (failure !== undefined) throw failure;
  }

  async authorize(id: string, access: TicketAccess): Promise<TicketPermit> {
    const ticket = this.#tickets.get(id);
    if (ticket === undefined) throw new NotAllowedError('No such ticket');
    ticket.authorize(access);
    return ticket;
  }

  onRemoved(listener: (id: string) => void): void {
    this.#watchers.addForRemovals(listener);
  }

  watch(id: string | undefined, listener: TicketListener): () => void {
    const stop = this.#watchers.add(id, listener);
    if (id === undefined) void this.#watchExpiryOfAll();
    else this.#tickets.get(id)?.watched();
    return stop;
  }

  async #remove(id: string, ticket: Ticket): Promise<void> {
    ticket.cancel();
    const timeoutSeconds = ticket.active
      ? this.options.removeTimeoutSeconds
      : Math.max(this.options.removeTimeoutSeconds, closeTimeoutSecondsMin);
    await settledWithin(ticket.closed(), timeoutSeconds, () => {
      throw new ConflictError(`Timeout cancelling transfer ${ticket.transferId}`);
    });
    // Another caller may have removed it and added a new one of the same id while this one waited.
    if (this.#tickets.get(id) !== ticket) return;
    this.#tickets.delete(id);
    this.#watchers.tell('removed', id);
  }

  async #watchExpiryOfAll(): Promise<void> {
    let count = 0;
    for (const ticket of this.#tickets.values()) {
      ticket.watched();
      if (++count % ticketsAtOnce === 0) await setImmediate();
    }
  }

  #make(definition: TicketDefinition): Ticket {
    const ticket = new Ticket(definition, this.clock, this.options, this.#watchers);
    this.#keepRanges(ticket);
    return ticket;
  }

  #keepRanges({ definition, received }: Ticket): void {
    const keeper = this.#keeper;
    if (keeper === undefined) return;
    received.beforeWithdrawn((start, end) => keeper.withdrawn(definition.id, start, end));
  }

  #find(id: string): Ticket {
    const ticket = this.#tickets.get(id);
    if (ticket === undefined) throw new NotFoundError(`No such ticket ${JSON.stringify(id)}`);
    return ticket;
  }
}
