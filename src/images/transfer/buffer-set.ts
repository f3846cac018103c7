import { blockSlackBytes } from '../buffers/aligned-memory.js';
import {
  type BufferHolder,
  type BufferPool,
  type BufferSize,
  smallBufferBytes,
} from '../buffers/buffer-pool.js';
import type { Claimant } from '../buffers/fair-shares.js';

/**
 * Two buffers overlap storage and network. More make a lone transfer steadier, and gain
 * nothing once others fill its waits.
 */
export const overlappingCount = 2;

/** How many others move data at the same time. */
export type Company = 'few' | 'many' | 'crowd';

/**
 * From so many buffers in use by others on. Among many a transfer takes no more than two, so that 16
 * downloads take 12 MiB less; a crowd is more than those 16.
 */
const othersInUse: readonly { readonly company: Company; readonly least: number }[] = [
  { company: 'crowd', least: 48 },
  { company: 'many', least: 4 },
];

export interface BufferSetOptions {
  /** For whom they are. */
  readonly claimant: Claimant;
  /** How much there is to move: little takes one small buffer. */
  readonly lengthBytes: number;
  readonly countMax: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The buffers of one transfer, used in turn; each carries one step at a time. It borrows them from the pool
 * as it has use for them, and gives them back when somebody else has more use for them: those that lie idle
 * at once, the others when their step is done.
 */
export class BufferSet implements BufferHolder {
  readonly #pool: BufferPool;
  readonly #claimant: Claimant;
  readonly #signal: AbortSignal | undefined;
  readonly #size: BufferSize;
  readonly #idle: Uint8Array[] = [];
  readonly #running = new Set<Promise<void>>();
  #countMax: number;
  /** Idle or in use by a step. */
  readonly #borrowed = new Set<Uint8Array>();
  /** How many the pool is waited for. */
  #asked = 0;
  #company: Company = 'few';
  #changed: PromiseWithResolvers<undefined> | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Told at once when a step fails, for who waits for something else than a buffer. */
  onFailure: (error: unknown) => void = () => undefined;
  /** The client takes long for each step: while others wait small buffers do as well for it. */
  isSlow = false;
  place = 0;
  /** Called every second while others wait, see {@link BufferHolder}. */
  onStall: () => boolean = () => false;

  /** Borrows nothing yet. */
  constructor(pool: BufferPool, { claimant, lengthBytes, countMax, signal }: BufferSetOptions) {
    this.#pool = pool;
    this.#claimant = claimant;
    this.#signal = signal;
    this.#size = lengthBytes <= smallBufferBytes ? 'small' : 'large';
    const stepBytes = this.#size === 'small' ? smallBufferBytes : pool.bufferBytes;
    this.#countMax = Math.min(countMax, Math.ceil(lengthBytes / stepBytes));
    pool.join(this);
  }

  /**
   * Waits for one buffer; more of them are taken only if they are free. A few transfers get all that they
   * may have, many get two each.
   * @throws UnavailableError when none came free in time
   */
  static async acquire(pool: BufferPool, options: BufferSetOptions): Promise<BufferSet> {
    const set = new BufferSet(pool, options);
    try {
      const buffer = await pool.acquireFirst({ ...options, size: set.#size });
      set.#borrowed.add(buffer);
      set.#idle.push(buffer);
    } catch (error: unknown) {
      set.release();
      throw error;
    }
    set.#company = companyOf(pool.statistics()[set.#size].inUse - 1);
    if (set.#company !== 'few') set.#countMax = Math.min(set.#countMax, overlappingCount);
    return set;
  }

  /** Who else was there at the start: of many, memory counts more than speed. */
  get company(): Company {
    return this.#company;
  }

  /**
   * How many bytes the next step takes in `buffer`. Steps end at multiples of the buffer size, so that only
   * the first and the last of a transfer can be unaligned for storage.
   */
  stepAt(buffer: Uint8Array, offsetBytes: number, endBytes: number): number {
    const stepBytes = buffer.length - 2 * blockSlackBytes;
    const remainingBytes = endBytes - offsetBytes;
    return remainingBytes <= stepBytes ? remainingBytes : stepBytes - (offsetBytes % stepBytes);
  }

  /** A buffer that nothing uses, if there is one to have without waiting. */
  tryTake(): Uint8Array | undefined {
    const idle = this.#idle.pop();
    if (idle !== undefined || this.#count >= this.#countMax) return idle;
    const buffer = this.#pool.tryAcquire(this.#sizeNow, this.#claimant);
    if (buffer !== undefined) this.#borrowed.add(buffer);
    return buffer;
  }

  /**
   * A buffer that nothing uses, after waiting for one of the others, or for the pool when there is none.
   * @throws what an earlier step has failed with, or the reason of the signal
   */
  async take(): Promise<Uint8Array> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const buffer = this.tryTake() ?? (this.#count === 0 ? await this.#borrow() : undefined);
      if (buffer !== undefined) return buffer;
      this.#changed ??= Promise.withResolvers<undefined>();
      await this.#changed.promise;
    }
  }

  /** The step in `buffer` is done. */
  put(buffer: Uint8Array): void {
    if (this.#pool.isWanted(buffer)) this.giveBack(buffer);
    else this.#idle.push(buffer);
    this.#change();
  }

  /** Gives `buffer` back to the pool: its step is done, and there is no other for now. */
  giveBack(buffer: Uint8Array): void {
    this.#borrowed.delete(buffer);
    this.#pool.release(buffer);
    this.#change();
  }

  /** Puts `buffer` to use by `step` until that settles. A failure comes out of `take` and `settled`. */
  use(buffer: Uint8Array, step: Promise<unknown>): void {
    const running = step
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.onFailure(error);
      })
      .then(() => {
        this.#running.delete(running);
        this.put(buffer);
      });
    this.#running.add(running);
  }

  /** Every step so far has succeeded. @throws what the first failed with */
  async settled(): Promise<void> {
    await this.idle();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** No step is running any more, however they ended. */
  async idle(): Promise<void> {
    if (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Gives all buffers back; only when no step is running. */
  release(): void {
    this.#pool.leave(this);
    this.#idle.length = 0;
    for (const buffer of this.#borrowed) this.giveBack(buffer);
  }

  giveBackIdle(): void {
    for (let last = this.#idle.at(-1); last !== undefined; last = this.#idle.at(-1)) {
      if (!this.#pool.isWantedIdle(last)) return;
      this.#idle.pop();
      this.giveBack(last);
    }
  }

  giveBackStalled(): boolean {
    return this.onStall();
  }

  get #sizeNow(): BufferSize {
    return this.isSlow && this.#pool.isContended(this.#size) ? 'small' : this.#size;
  }

  get #count(): number {
    return this.#borrowed.size + this.#asked;
  }

  async #borrow(): Promise<Uint8Array> {
    this.#asked += 1;
    try {
      const request = { size: this.#sizeNow, claimant: this.#claimant, signal: this.#signal };
      const buffer = await this.#pool.acquire(request);
      this.#borrowed.add(buffer);
      return buffer;
    } finally {
      this.#asked -= 1;
      this.#change();
    }
  }

  #change(): void {
    this.#changed?.resolve(undefined);
    this.#changed = undefined;
  }
}

function companyOf(inUse: number): Company {
  return othersInUse.find(({ least }) => inUse >= least)?.company ?? 'few';
}
