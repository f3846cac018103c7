/**
 * Who takes shares: a ticket, or whatever else waits for its turn. It is told from others by its identity.
 */
export interface Claimant {
  /** The image behind it. Its storage may hang, and what it holds with it. */
  readonly imageUrl: string;
}

interface Waiter<C> {
  readonly claimant: C;
  readonly grant: () => void;
}

/**
 * Shares of something limited, such as buffers, that are taken and given back one by one.
 *
 * No image takes all: one may hold as many as it leaves free. Alone that is one half, each of two gets a
 * third. So storage that hangs, or clients that do nothing, keep from others no more than a part, however
 * many ask.
 *
 * Waiting is fair: whoever holds the fewest is next; of equals the one who has been served longest ago. A
 * claimant that asks often waits in its own queue and no one else's.
 */
export class FairShares<C extends Claimant = Claimant> {
  readonly #heldByClaimant = new Map<C, number>();
  readonly #heldByImage = new Map<string, number>();
  /** Those who wait, in the order in which their claimants were served last. */
  readonly #queues = new Map<C, Set<Waiter<C>>>();
  #free: number;
  #waiting = 0;

  constructor(readonly count: number) {
    this.#free = count;
  }

  get free(): number {
    return this.#free;
  }

  get waiting(): number {
    return this.#waiting;
  }

  held(claimant: C): number {
    return this.#heldByClaimant.get(claimant) ?? 0;
  }

  /** Takes a share if there is one for `claimant`. Nobody is overtaken: whoever waits could not have it. */
  tryTake(claimant: C): boolean {
    if (!this.#allows(claimant, this.#free, 0)) return false;
    this.#take(claimant);
    return true;
  }

  /** Takes a share, after waiting for it. @throws the reason of the signal */
  async take(claimant: C, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.tryTake(claimant)) return;
    await new Promise<void>((resolve, reject) => {
      const waiter = {
        claimant,
        grant: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#leave(waiter);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#join(waiter);
    });
  }

  /** Has a share during `work`. @throws the reason of the signal while it waits, and what `work` throws */
  async during<T>(claimant: C, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.take(claimant, signal);
    try {
      return await work();
    } finally {
      this.give(claimant);
    }
  }

  /** Gives a share back, once for each that was taken. */
  give(claimant: C): void {
    this.#free += 1;
    decrement(this.#heldByClaimant, claimant);
    decrement(this.#heldByImage, claimant.imageUrl);
    for (let next = this.#next(this.#free); next !== undefined; next = this.#next(this.#free)) {
      this.#serve(next);
    }
  }

  /**
   * For whom `claimant` should give a share back now; undefined when nobody waits who gains by it. Mostly
   * that is who would get it. An image that holds more than it may by now, as others came after it, has to
   * come down before those of its own who wait get any, or they would wait for ever.
   */
  nextAfter(claimant: C): C | undefined {
    if (this.#waiting === 0) return undefined;
    const free = this.#free + 1;
    return (this.#next(free, claimant) ?? this.#next(free, claimant, true))?.claimant;
  }

  #serve(waiter: Waiter<C>): void {
    const { claimant } = waiter;
    this.#leave(waiter);
    this.#take(claimant);
    const queue = this.#queues.get(claimant);
    if (queue !== undefined) {
      // Behind all others.
      this.#queues.delete(claimant);
      this.#queues.set(claimant, queue);
    }
    waiter.grant();
  }

  /**
   * Who is served next of those who may have one of `free` shares.
   * @param giver who gives one of them back
   * @param ofItsImage instead of those all who have the image of `giver`, however much it holds
   */
  #next(free: number, giver?: C, ofItsImage = false): Waiter<C> | undefined {
    let next: Waiter<C> | undefined;
    let fewest = Infinity;
    for (const [claimant, [first]] of this.#queues) {
      const held = this.held(claimant) - (claimant === giver ? 1 : 0);
      const isGivers = claimant.imageUrl === giver?.imageUrl;
      const mayHave = ofItsImage ? isGivers : this.#allows(claimant, free, isGivers ? 1 : 0);
      if (first === undefined || held >= fewest || !mayHave) continue;
      next = first;
      fewest = held;
    }
    return next;
  }

  #allows({ imageUrl }: C, free: number, givenBack: number): boolean {
    return (this.#heldByImage.get(imageUrl) ?? 0) - givenBack < free;
  }

  #take(claimant: C): void {
    this.#free -= 1;
    increment(this.#heldByClaimant, claimant);
    increment(this.#heldByImage, claimant.imageUrl);
  }

  #join(waiter: Waiter<C>): void {
    this.#waiting += 1;
    const queue = this.#queues.get(waiter.claimant);
    if (queue === undefined) this.#queues.set(waiter.claimant, new Set([waiter]));
    else queue.add(waiter);
  }

  #leave(waiter: Waiter<C>): void {
    this.#waiting -= 1;
    const queue = this.#queues.get(waiter.claimant);
    queue?.delete(waiter);
    if (queue?.size === 0) this.#queues.delete(waiter.claimant);
  }
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function decrement<K>(counts: Map<K, number>, key: K): void {
  const count = counts.get(key) ?? 0;
  if (count > 1) counts.set(key, count - 1);
  else counts.delete(key);
}
