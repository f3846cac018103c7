/** Somebody who waits for a buffer of `ticket`. */
export interface BufferWaiter {
  readonly ticket: string;
  grant(buffer: Buffer<ArrayBuffer>): void;
}

/** Who lends: the pool. */
export interface BufferLender {
  /** How many wait. */
  readonly waiting: number;
  readonly stallSeconds: number;
  /** From now on `loan` is asked to give back while others wait. @returns its place */
  join(loan: BufferLoan): number;
  leave(place: number): void;
  /**
   * A buffer, if there is one for `ticket`. Nobody is overtaken: whoever waits could not have it.
   * @param isFirst of its request
   */
  tryTake(ticket: string, isFirst: boolean): Buffer<ArrayBuffer> | undefined;
  /** Takes back a buffer that nobody touches any more, or `isTouched`, which is not used again. */
  giveBack(ticket: string, buffer: Buffer<ArrayBuffer>, isTouched: boolean): void;
  /** Queues for the first buffer of a request; until then others are asked to give back. */
  wait(waiter: BufferWaiter): void;
  /** Does not wait any more. */
  cancel(waiter: BufferWaiter): void;
  /** Somebody waits who could use that much of what `ticket` holds. */
  isUseful(ticket: string, lengthBytes: number): boolean;
  /**
   * Somebody waits who should have that much of what `ticket` holds: of the same
   * ticket, or of one that holds less.
   */
  isWanted(ticket: string, lengthBytes: number): boolean;
}

/** One is being sent while the other fills. */
const buffersMax = 2;

/** The buffers of one request, borrowed from the pool while there is use for them. */
export class BufferLoan {
  readonly #place: number;
  /** Of those that are borrowed the ones that nobody uses. */
  readonly #idle: Buffer<ArrayBuffer>[] = [];
  #count = 0;
  #heldBytes = 0;
  /** The idle buffer is kept for what it was borrowed for, whoever waits. */
  #reserved = true;
  #waiter: BufferWaiter | undefined;
  #ended = false;
  /** Called every second while others wait. @returns whether the transfer ends for them */
  onStall: () => boolean = neverStalled;

  /** Borrows nothing yet. */
  constructor(
    private readonly pool: BufferLender,
    private readonly ticket: string,
  ) {
    this.#place = pool.join(this);
  }

  /** It has a buffer that nobody uses. */
  get hasIdle(): boolean {
    return this.#idle.length > 0;
  }

  /** It has no buffer, and waits for the pool to lend one. */
  get isWaiting(): boolean {
    return this.#waiter !== undefined;
  }

  /** Somebody waits who should have what it holds. */
  get isWanted(): boolean {
    return this.pool.isWanted(this.ticket, this.#heldBytes);
  }

  /** Somebody waits for buffers. */
  get areShort(): boolean {
    return this.pool.waiting > 0;
  }

  get stallSeconds(): number {
    return this.pool.stallSeconds;
  }

  /** Has one more idle buffer, if the pool has one now. */
  tryBorrow(): boolean {
    if (this.#ended || this.#count === buffersMax) return false;
    const buffer = this.pool.tryTake(this.ticket, this.#count === 0);
    if (buffer === undefined) return false;
    this.#add(buffer);
    return true;
  }

  /**
   * From now on an idle buffer is given back when others wait. Before, while the daemon is asked, the first
   * one is what keeps the daemon from being asked by more requests than there is memory for.
   */
  begin(): void {
    this.#reserved = false;
  }

  /**
   * Calls back, once, when it has an idle buffer. Only while it has no buffer at all and does not wait yet.
   */
  borrowLater(onBuffer: () => void): void {
    if (this.#ended || this.#count > 0 || this.#waiter !== undefined) return;
    this.#waiter = {
      ticket: this.ticket,
      grant: (buffer) => {
        this.#waiter = undefined;
        this.#reserved = true;
        this.#add(buffer);
        // Not in the middle of what the one does who gave it back.
        queueMicrotask(onBuffer);
      },
    };
    this.pool.wait(this.#waiter);
  }

  /** A buffer to use, if there is one without waiting. */
  take(): Buffer<ArrayBuffer> | undefined {
    this.#reserved = false;
    if (this.#idle.length === 0) this.tryBorrow();
    return this.#idle.pop();
  }

  /** `buffer` is not used any more, and nobody touches it. */
  put(buffer: Buffer<ArrayBuffer>): void {
    if (this.#ended || this.pool.isWanted(this.ticket, buffer.length)) this.#giveBack(buffer);
    else this.#idle.push(buffer);
  }

  /** `buffer` is not used any more, but a socket may still touch it. */
  abandon(buffer: Buffer<ArrayBuffer>): void {
    this.#giveBack(buffer, true);
  }

  /** Gives back what lies idle, as far as somebody who waits can use it. */
  giveBackIdle(): void {
    if (this.#reserved) return;
    for (let last = this.#idle.at(-1); last !== undefined; last = this.#idle.at(-1)) {
      if (!this.pool.isUseful(this.ticket, last.length)) return;
      this.#idle.pop();
      this.#giveBack(last);
    }
  }

  /** The request is over. What is still being sent is given back by `put` or `abandon` later. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onStall = neverStalled;
    this.pool.leave(this.#place);
    if (this.#waiter !== undefined) this.pool.cancel(this.#waiter);
    this.#waiter = undefined;
    for (const buffer of this.#idle.splice(0)) this.#giveBack(buffer);
  }

  #add(buffer: Buffer<ArrayBuffer>): void {
    this.#count += 1;
    this.#heldBytes += buffer.length;
    this.#idle.push(buffer);
  }

  #giveBack(buffer: Buffer<ArrayBuffer>, isTouched = false): void {
    this.#count -= 1;
    this.#heldBytes -= buffer.length;
    this.pool.giveBack(this.ticket, buffer, isTouched);
  }
}

function neverStalled(): boolean {
  return false;
}
