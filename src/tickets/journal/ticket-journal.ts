import { rm } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { OnApplicationShutdown } from '@nestjs/common';
import { describeError, type Logger } from '../../log/logger.js';
import type { MemoryTicketStore } from '../memory-ticket.store.js';
import type { Ticket } from '../ticket.js';
import type { TicketEvent } from '../ticket-watch.js';
import { JournalFile } from './journal-file.js';
import {
  durableLine,
  headLine,
  removedLine,
  stateLine,
  ticketLine,
  withdrawnLine,
} from './journal-records.js';

export interface TicketJournalOptions {
  readonly path: string;
  /** Of this boot of the host. */
  readonly bootId: string;
}

/** What only happens with time is written so often: no more of it is lost when the process is killed. */
const intervalMilliseconds = 1000;
/** So many ranges are put into one line: JSON of them takes a millisecond. */
const rangesPerLine = 4096;
/** A ticket with more durable ranges tells them with the interval, not at each of its flushes. */
const rangesAtFlushMax = 1024;
/** So much is written at once. */
const chunkCharacters = 256 * 1024;
/** Below this a journal is never made anew. */
const compactBytesMin = 1024 * 1024;
/** Past so many times the length that it had when it was made anew, it is made anew. */
const compactGrowth = 4;

/** Makes lines one by one, so that others have their turn in between; each is true when it is made. */
type Entry = Iterable<string>;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes down what becomes of the tickets, for the process that comes next (docs/protocol.md, "Kept
 * tickets"). What somebody counts on, such as the removal of a ticket, is written before it is acknowledged;
 * everything else up to a second later. Nothing is synced: the file lies in memory, and outlives the process
 * but not the host.
 */
export class TicketJournal implements OnApplicationShutdown {
  readonly #dirty = new Set<string>();
  readonly #dirtyRanges = new Set<Ticket>();
  readonly #waiters: Waiter[] = [];
  #queue: Entry[] = [];
  #file: JournalFile | undefined;
  #compactAtBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #hasBegun = false;
  #isExpected = false;
  #hasFailed = false;
  /** There is no journal, and none is tried before this time of `performance.now()`. */
  #retryAt = 0;

  /** @param restored how many tickets the process before has left */
  constructor(
    private readonly options: TicketJournalOptions,
    private readonly store: MemoryTicketStore,
    readonly restored: number,
    private readonly logger: Logger,
  ) {
    store.watch(undefined, this.#note);
    store.keepIn({
      written: () => this.written(),
      withdrawn: (id, start, end) => this.#withdrawn(id, start, end),
    });
  }

  /**
   * Requests come from now on: nothing is acknowledged before the journal has begun.
   */
  expectRequests(): void {
    this.#isExpected = true;
  }

  /**
   * Takes the place of the journal that the process before has left. To be called when this process has its
   * listeners, and with them the tickets, and is the user that it stays.
   * @throws Error of the system when it cannot be written
   */
  async begin(): Promise<void> {
    await this.#compact();
    this.#hasBegun = true;
    this.#isExpected = true;
    this.#start();
  }

  /**
   * Resolves when all that has happened is written; at once as long as no requests are expected.
   * @throws Error of the system when it is not, and the old journal cannot be removed either
   */
  async written(): Promise<void> {
    if (!this.#isExpected || (this.#hasBegun && this.#queue.length === 0 && this.#writing === undefined))
      return;
    await new Promise<void>((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#start();
    });
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.#timer);
    this.#tick();
    await this.written();
    await this.#file?.close();
    this.#file = undefined;
    this.#hasBegun = false;
    this.#isExpected = false;
  }

  readonly #note = ({ kind, id }: TicketEvent): void => {
    switch (kind) {
      case 'changed':
        this.#dirty.add(id);
        break;
      case 'flushed':
        this.#dirty.add(id);
        this.#noteFlush(id);
        break;
      case 'added':
        this.#put(this.#entryOf(id, this.#whole));
        break;
      case 'removed':
        this.#put([removedLine(id)]);
        break;
      case 'extended':
      case 'cancelled':
        this.#put(this.#entryOf(id, this.#latest));
        break;
      case 'expired':
        // The time at which that happens is written already.
        return;
    }
    this.#timer ??= setTimeout(this.#tick, intervalMilliseconds).unref();
  };

  readonly #tick = (): void => {
    this.#timer = undefined;
    this.#retryAt = 0;
    this.#queueDirty();
    // An entry of nothing, so that a journal that could not be written is tried again.
    this.#queue.push([]);
    this.#start();
  };

  #queueDirty(): void {
    for (const id of this.#dirty) this.#queue.push(this.#entryOf(id, this.#latest));
    this.#dirty.clear();
  }

  #noteFlush(id: string): void {
    const ticket = this.store.ticket(id);
    if (ticket === undefined) return;
    this.#dirtyRanges.add(ticket);
    if (ticket.received.count <= rangesAtFlushMax) this.#put(this.#latest(ticket));
  }

  /** An entry is of the ticket that has the id now, whatever is added by that id later. */
  #entryOf(id: string, lines: (ticket: Ticket) => Entry): Entry {
    const ticket = this.store.ticket(id);
    return ticket === undefined ? [] : lines(ticket);
  }

  async #withdrawn(id: string, start: number, end: number): Promise<void> {
    this.#put([withdrawnLine(id, start, end)]);
    await this.written();
  }

  #put(entry: Entry): void {
    this.#queue.push(entry);
    this.#start();
  }

  /** All that there is to say of a ticket. */
  readonly #whole = function* (ticket: Ticket): Generator<string> {
    yield ticketLine(ticket.definition, ticket.state);
    yield* durableLines(ticket);
  };

  /** What may have changed since it was added. */
  readonly #latest = (ticket: Ticket): Entry => {
    const hasFlushed = this.#dirtyRanges.delete(ticket);
    return (function* (): Generator<string> {
      yield stateLine(ticket.definition.id, ticket.state);
      if (hasFlushed) yield* durableLines(ticket);
    })();
  };

  #start(): void {
    if (!this.#hasBegun || this.#writing !== undefined) return;
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = undefined;
      if (this.#queue.length > 0 || this.#waiters.length > 0) this.#start();
    });
  }

  async #writeAll(): Promise<void> {
    const waiters = this.#waiters.splice(0);
    if (this.#file === undefined && performance.now() < this.#retryAt) {
      this.#queue = [];
      for (const { resolve } of waiters) resolve();
      return;
    }
    try {
      if (this.#file === undefined || this.#file.sizeBytes > this.#compactAtBytes) await this.#compact();
      else await appendAll(this.#file, this.#queue.splice(0));
      if (this.#hasFailed) this.logger.info('Tickets are kept for a restart again');
      this.#hasFailed = false;
      for (const { resolve } of waiters) resolve();
    } catch (error: unknown) {
      await this.#fail(error, waiters);
    }
  }

  /** Writes a new journal of all tickets. What happens meanwhile is queued, and so written behind it. */
  async #compact(): Promise<void> {
    const old = this.#file;
    // What is queued has happened to the tickets already.
    this.#queue = [];
    this.#file = undefined;
    await old?.close();
    const { path, bootId } = this.options;
    const file = await JournalFile.replace(path, async (next) => {
      await next.append(headLine(bootId));
      await appendAll(
        next,
        [...this.store.all()].map((ticket) => this.#whole(ticket)),
      );
    });
    this.#compactAtBytes = Math.max(compactBytesMin, compactGrowth * file.sizeBytes);
    this.#file = file;
  }

  /**
   * A journal that lacks something is worse than none: a ticket that was removed would come back. So it is
   * removed, and made anew as soon as that is possible.
   */
  async #fail(error: unknown, waiters: readonly Waiter[]): Promise<void> {
    if (!this.#hasFailed) this.logger.error(`Tickets are not kept for a restart: ${describeError(error)}`);
    this.#hasFailed = true;
    await this.#file?.close();
    this.#file = undefined;
    // The next interval tries again, and then writes all there is.
    this.#queue = [];
    this.#timer ??= setTimeout(this.#tick, intervalMilliseconds).unref();
    try {
      await rm(this.options.path, { force: true });
    } catch {
      for (const { reject } of waiters) reject(error);
      return;
    }
    this.#retryAt = performance.now() + intervalMilliseconds;
    for (const { resolve } of waiters) resolve();
  }
}

/**
 * In pages, between which the ranges may change: what is withdrawn meanwhile is written behind this, and so
 * has the last word.
 */
function* durableLines({ definition, received }: Ticket): Generator<string> {
  let startBytes: number | undefined = 0;
  for (let anew = true; startBytes !== undefined; anew = false) {
    const page = received.page({ state: 'durable', startBytes, rangesMax: rangesPerLine });
    const durable = page.ranges.map(
      ({ offsetBytes, lengthBytes, zero }) => [offsetBytes, lengthBytes, zero] as const,
    );
    yield durableLine(definition.id, anew, { generation: page.generation, durable });
    startBytes = page.nextBytes;
  }
}

async function appendAll(file: JournalFile, entries: readonly Entry[]): Promise<void> {
  let text = '';
  for (const entry of entries)
    for (const line of entry) {
      text += line;
      if (text.length < chunkCharacters) continue;
      await file.append(text);
      text = '';
      await setImmediate();
    }
  if (text !== '') await file.append(text);
}
