import type { BufferPool } from './backends/buffer-pool.js';
import { smallBufferBytes } from './backends/buffer-pool.js';

/** Two buffers overlap storage and network. More make a lone transfer steadier, and gain nothing once others fill its waits. */
export const overlappingCount = 2;

/** With this many buffers in use by others a transfer takes no more than two, so that 16 downloads take 12 MiB less. */
const othersInUseMax = 4;

export interface BufferSetOptions {
  /** How much there is to move: little takes one small buffer. */
  readonly lengthBytes: number;
  readonly countMax: number;
  readonly signal: AbortSignal;
}

/**
 * The buffers of one transfer, used in turn. Each carries one I/O at a time; `next` waits for the oldest I/O when all are in use. Failures
 * come out of `next` and `settled`.
 */
export class BufferSet {
  readonly #pool: BufferPool;
  readonly #buffers: Uint8Array[];
  readonly #free: Uint8Array[];
  readonly #running: { readonly buffer: Uint8Array; readonly io: Promise<unknown> }[] = [];

  private constructor(
    pool: BufferPool,
    buffers: Uint8Array[],
    /** The most image bytes that one buffer takes in one step. */
    private readonly stepBytes: number,
    /** Others had taken so many buffers that memory counts more than speed. */
    readonly amongMany: boolean,
  ) {
    this.#pool = pool;
    this.#buffers = buffers;
    this.#free = [...buffers];
  }

  /**
   * Waits for one buffer and takes more of them only if they are free: a transfer can go on with one, so nobody waits for
   * somebody who waits. A few transfers get all that they may have, many get two each.
   * @throws UnavailableError when none came free in time
   */
  static async acquire(pool: BufferPool, options: BufferSetOptions): Promise<BufferSet> {
    const size = options.lengthBytes <= smallBufferBytes ? 'small' : 'large';
    const stepBytes = size === 'small' ? smallBufferBytes : pool.bufferBytes;
    const wanted = Math.min(options.countMax, Math.ceil(options.lengthBytes / stepBytes));
    const buffers = [await pool.acquire(size, options.signal)];
    const amongMany = pool.statistics()[size].inUse - buffers.length >= othersInUseMax;
    const count = amongMany ? Math.min(overlappingCount, wanted) : wanted;
    while (buffers.length < count) {
      const buffer = pool.tryAcquire(size);
      if (buffer === undefined) break;
      buffers.push(buffer);
    }
    return new BufferSet(pool, buffers, stepBytes, amongMany);
  }

  get all(): readonly Uint8Array[] {
    return this.#buffers;
  }

  /**
   * How many bytes the next step takes. Steps end at multiples of the buffer size, so that only the first and the last of a transfer can
   * be unaligned for storage.
   */
  stepAt(offsetBytes: number, endBytes: number): number {
    const remainingBytes = endBytes - offsetBytes;
    return remainingBytes <= this.stepBytes
      ? remainingBytes
      : this.stepBytes - (offsetBytes % this.stepBytes);
  }

  /** A buffer that nothing uses, after waiting for the oldest I/O when there is none. @throws what that I/O failed with */
  async next(): Promise<Uint8Array> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const oldest = this.#running.shift();
    if (oldest === undefined) throw new Error('A transfer asked for more buffers than it has');
    await oldest.io;
    return oldest.buffer;
  }

  /** Puts `buffer` to use by `io`. */
  use(buffer: Uint8Array, io: Promise<unknown>): void {
    // Who waits for it hears of a failure; until then it must not count as unhandled.
    io.catch(() => undefined);
    this.#running.push({ buffer, io });
  }

  /** Every I/O so far has succeeded. @throws what the first failed with */
  async settled(): Promise<void> {
    for (const { io } of this.#running) await io;
  }

  /** No I/O is running any more, however they ended. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running.map(({ io }) => io));
  }

  /** Gives the buffers back; only when idle. */
  release(): void {
    for (const buffer of this.#buffers) this.#pool.release(buffer);
  }
}
