import { BufferPool, type PoolSize } from '../images/buffers/buffer-pool.js';
import type { BufferUse } from '../images/buffers/buffer-gauges.js';

const large = 0;
const small = 1;

/** How many buffers one thread has in use, in memory that it shares with the main thread. */
export class BufferCounts implements BufferUse {
  readonly #inUse: Int32Array;

  constructor(
    private readonly size: PoolSize,
    readonly memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT),
  ) {
    this.#inUse = new Int32Array(memory);
  }

  /** By the thread that has the pool. */
  show(pool: BufferPool): void {
    const statistics = pool.statistics();
    Atomics.store(this.#inUse, large, statistics.large.inUse);
    Atomics.store(this.#inUse, small, statistics.small.inUse);
  }

  statistics(): ReturnType<BufferUse['statistics']> {
    const counts = BufferPool.counts(this.size);
    const use = (countMax: number, place: number) => ({
      countMax,
      inUse: Atomics.load(this.#inUse, place),
      // What finds none is the main thread's to answer.
      waiting: 0,
    });
    return { large: use(counts.large, large), small: use(counts.small, small) };
  }
}
