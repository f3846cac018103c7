import { UnavailableError } from '../../base/errors.js';
import { type BufferLender, BufferLoan, type BufferWaiter } from './buffer-loan.js';
import { BufferMemory, largeBufferBytes, smallBufferBytes } from './buffer-memory.js';
import { type BufferShareLimits, BufferShares } from './buffer-shares.js';

export interface RelayBufferOptions extends BufferShareLimits {
  /** How long a request waits for its first buffer before it is refused (`buffer_wait_sec`). */
  readonly waitSeconds: number;
  /** How long a client that reads nothing keeps buffers that others wait for (`buffer_stall_sec`). */
  readonly stallSeconds: number;
}

/** What there can be, is lent, and how many requests wait. */
export interface RelayBufferStatistics {
  readonly bytesMax: number;
  readonly bytesInUse: number;
  readonly waiting: number;
}

/** Of what a ticket may hold it gets this part in large buffers, so that many small ones remain for it. */
const largePart = 1 / 2;
/** The rest of what a ticket may hold is for requests that have no buffer yet. */
const secondPart = 3 / 4;
/** How often it is looked who keeps buffers from those who wait. */
const stallCheckMilliseconds = 1000;

/**
 * The bounded memory that large relayed bodies pass through: data and extents that clients get, and uploads.
 * Short bodies need none of it. So no answer to an upload waits for a buffer, and nobody holds a buffer for
 * the sake of getting another one.
 *
 * It is shared between tickets (`BufferShares`). While somebody waits, a transfer gives a buffer back when it
 * was sent, if its ticket holds more than the one that waits, and queues for the next one. What lies idle is
 * given back at once, and what a client does not read after `stallSeconds`.
 */
export class RelayBufferPool implements BufferLender {
  readonly #memory = new BufferMemory();
  readonly #shares: BufferShares;
  /** Those who wait, by ticket, each in the order in which they came. */
  readonly #queues = new Map<string, Set<BufferWaiter>>();
  #waiting = 0;
  /**
   * Loans by position; positions are used again, because sets that shrink and grow leave old tables behind.
   */
  readonly #loans: (BufferLoan | undefined)[] = [];
  readonly #freePlaces: number[] = [];
  #stallCheck: NodeJS.Timeout | undefined;

  constructor(private readonly options: RelayBufferOptions) {
    this.#shares = new BufferShares(options);
  }

  get waiting(): number {
    return this.#waiting;
  }

  get stallSeconds(): number {
    return this.options.stallSeconds;
  }

  /**
   * Lends the buffers of one request, the first of them at once.
   * @param ticket whose share they count to
   * @throws UnavailableError when none came free within the wait; the signal's reason when it aborts first
   */
  async lend(ticket: string, signal: AbortSignal): Promise<BufferLoan> {
    const loan = new BufferLoan(this, ticket);
    if (loan.tryBorrow()) return loan;
    let timer: NodeJS.Timeout | undefined;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    try {
      signal.throwIfAborted();
      signal.addEventListener('abort', onAbort, { once: true });
      timer = setTimeout(() => {
        reject(this.#refusal(ticket));
      }, this.options.waitSeconds * 1000);
      loan.borrowLater(() => {
        resolve(undefined);
      });
      await promise;
      return loan;
    } catch (error: unknown) {
      loan.end();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  join(loan: BufferLoan): number {
    const place = this.#freePlaces.pop() ?? this.#loans.length;
    this.#loans[place] = loan;
    return place;
  }

  leave(place: number): void {
    this.#loans[place] = undefined;
    this.#freePlaces.push(place);
  }

  tryTake(ticket: string, isFirst: boolean): Buffer<ArrayBuffer> | undefined {
    const isLarge = this.#memory.hasLarge && this.#shares.allows(ticket, largeBufferBytes, largePart);
    if (!isLarge && !this.#shares.allows(ticket, smallBufferBytes, isFirst ? 1 : secondPart))
      return undefined;
    const buffer = this.#memory.take(isLarge ? largeBufferBytes : smallBufferBytes);
    this.#shares.take(ticket, buffer.length);
    return buffer;
  }

  giveBack(ticket: string, buffer: Buffer<ArrayBuffer>, isTouched: boolean): void {
    this.#shares.give(ticket, buffer.length);
    if (isTouched) this.#memory.abandon(buffer);
    else this.#memory.giveBack(buffer, this.#waiting > 0);
    this.#serve();
  }

  wait(waiter: BufferWaiter): void {
    const { ticket } = waiter;
    const queue = this.#queues.get(ticket);
    if (queue === undefined) this.#queues.set(ticket, new Set([waiter]));
    else queue.add(waiter);
    this.#waiting += 1;
    for (const loan of this.#loans) {
      if (this.#waiting === 0) return;
      loan?.giveBackIdle();
    }
    if (this.#waiting === 0) return;
    this.#stallCheck ??= setInterval(() => {
      this.#checkStalled();
    }, stallCheckMilliseconds).unref();
  }

  cancel(waiter: BufferWaiter): void {
    const { ticket } = waiter;
    const queue = this.#queues.get(ticket);
    if (queue?.delete(waiter) !== true) return;
    this.#waiting -= 1;
    if (queue.size === 0) this.#queues.delete(ticket);
  }

  isUseful(ticket: string, lengthBytes: number): boolean {
    return this.#nextAfter(ticket, lengthBytes) !== undefined;
  }

  isWanted(ticket: string, lengthBytes: number): boolean {
    const next = this.#nextAfter(ticket, lengthBytes);
    return next !== undefined && (next === ticket || this.#shares.held(next) < this.#shares.held(ticket));
  }

  statistics(): RelayBufferStatistics {
    return {
      bytesMax: this.options.totalBytes,
      bytesInUse: this.#shares.inUseBytes,
      waiting: this.#waiting,
    };
  }

  /** The ticket that is next: of those that may have a buffer the one that holds least. */
  #next(): string | undefined {
    let next: string | undefined;
    let leastBytes = Infinity;
    for (const ticket of this.#queues.keys()) {
      const heldBytes = this.#shares.held(ticket);
      if (heldBytes >= leastBytes || !this.#shares.allows(ticket, smallBufferBytes)) continue;
      next = ticket;
      leastBytes = heldBytes;
    }
    return next;
  }

  /** Who would get what `ticket` gave back now. */
  #nextAfter(ticket: string, lengthBytes: number): string | undefined {
    if (this.#waiting === 0) return undefined;
    this.#shares.give(ticket, lengthBytes);
    const next = this.#next();
    this.#shares.take(ticket, lengthBytes);
    return next;
  }

  #serve(): void {
    if (this.#waiting === 0) return;
    for (let ticket = this.#next(); ticket !== undefined; ticket = this.#next()) {
      const [waiter] = this.#queues.get(ticket) ?? [];
      const buffer = waiter && this.tryTake(ticket, true);
      if (waiter === undefined || buffer === undefined) return;
      const queue = this.#queues.get(ticket);
      this.cancel(waiter);
      if (queue !== undefined && queue.size > 0) {
        // Behind all other tickets.
        this.#queues.delete(ticket);
        this.#queues.set(ticket, queue);
      }
      waiter.grant(buffer);
    }
  }

  /** At most as many transfers are ended as there are others waiting. */
  #checkStalled(): void {
    let waiting = this.#waiting;
    for (const loan of this.#loans) {
      if (waiting <= 0) break;
      loan?.giveBackIdle();
      if (loan?.onStall() === true) waiting -= 1;
    }
    if (this.#waiting > 0) return;
    clearInterval(this.#stallCheck);
    this.#stallCheck = undefined;
  }

  #refusal(ticket: string): UnavailableError {
    const text =
      this.#shares.held(ticket) > 0
        ? 'All transfer buffers that one ticket may have are in use'
        : 'All transfer buffers of this server are in use';
    return new UnavailableError(text);
  }
}
