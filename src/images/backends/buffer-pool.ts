import assert from 'node:assert/strict';

import { UnavailableError } from '../../errors.js';
import { KiB, MiB } from '../../units.js';
import { AlignedMemory, pageBytes } from './aligned-memory.js';
import { blockSlackBytes } from './backend.js';

/** `large` for bodies and checksums, `small` for what is known to be short. */
export type BufferSize = 'large' | 'small';

export interface BufferPoolOptions {
  /** The most memory that all buffers together take (`buffer_pool_bytes`). */
  readonly poolBytes: number;
  /** Bytes of data in a large buffer. */
  readonly bufferBytes?: number;
  /** How long an operation waits for its first buffer before it is refused. */
  readonly waitSeconds?: number;
}

/** How many buffers of one size exist at most, are out, were out at once at most, and how many operations wait. */
export interface BufferStatistics {
  readonly countMax: number;
  readonly inUse: number;
  readonly inUseMax: number;
  readonly waiting: number;
}

export const smallBufferBytes = 64 * KiB;

/** Small buffers get this part of the pool, so that neither size can starve the other. */
const smallShare = 1 / 8;

/**
 * The bounded set of page-aligned buffers that image data passes through. Each buffer holds `bufferBytes` (or 64 KiB)
 * of data and twice `blockSlackBytes` around it, as `Backend.read` asks.
 *
 * Deadlock freedom: an operation waits (`acquire`) only for its first buffer, while it holds none. Further ones for
 * reading ahead it takes only if they are free (`tryAcquire`). So every holder of a buffer can finish without another.
 */
export class BufferPool {
  readonly #classes: Readonly<Record<BufferSize, BufferClass>>;
  readonly #inUse = new Map<Uint8Array, BufferClass>();
  readonly #waitSeconds: number;
  readonly bufferBytes: number;

  constructor(options: BufferPoolOptions) {
    this.bufferBytes = options.bufferBytes ?? MiB;
    this.#waitSeconds = options.waitSeconds ?? 10;
    const memory = new AlignedMemory();
    const smallBytes = options.poolBytes * smallShare;
    this.#classes = {
      large: new BufferClass(memory, this.bufferBytes, options.poolBytes - smallBytes),
      small: new BufferClass(memory, smallBufferBytes, smallBytes),
    };
  }

  /**
   * Takes the first buffer of an operation, in order of arrival when none is free.
   * @throws UnavailableError when none came free within the wait; the signal's reason when it aborts first
   */
  async acquire(size: BufferSize, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    return this.tryAcquire(size) ?? (await this.#wait(this.#classes[size], signal));
  }

  /** Takes a buffer if one is free. Nobody is overtaken: while somebody waits, none is free. */
  tryAcquire(size: BufferSize): Uint8Array | undefined {
    const bufferClass = this.#classes[size];
    const buffer = bufferClass.take();
    if (buffer !== undefined) {
      this.#inUse.set(buffer, bufferClass);
    }
    return buffer;
  }

  /** Gives back what `acquire` or `tryAcquire` returned, once. */
  release(buffer: Uint8Array): void {
    const bufferClass = this.#inUse.get(buffer);
    assert.ok(bufferClass !== undefined, 'a buffer is released twice, or to a pool that it is not from');
    const [waiter] = bufferClass.waiters;
    if (waiter === undefined) {
      this.#inUse.delete(buffer);
      bufferClass.put(buffer);
    } else {
      bufferClass.waiters.delete(waiter);
      waiter(buffer);
    }
  }

  statistics(): Readonly<Record<BufferSize, BufferStatistics>> {
    return { large: this.#classes.large.statistics(), small: this.#classes.small.statistics() };
  }

  #wait(bufferClass: BufferClass, signal: AbortSignal | undefined): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        bufferClass.waiters.delete(onBuffer);
      };
      const onBuffer = (buffer: Uint8Array) => {
        settle();
        resolve(buffer);
      };
      const onAbort = () => {
        settle();
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        settle();
        reject(
          new UnavailableError(
            'All transfer buffers of this server are in use',
            Math.ceil(this.#waitSeconds),
          ),
        );
      }, this.#waitSeconds * 1000);
      signal?.addEventListener('abort', onAbort, { once: true });
      bufferClass.waiters.add(onBuffer);
    });
  }
}

/** The buffers of one size. They are made when they are first needed. */
class BufferClass {
  /** A set keeps the order of arrival and forgets in constant time. */
  readonly waiters = new Set<(buffer: Uint8Array) => void>();
  readonly #free: Uint8Array[] = [];
  readonly #memory: AlignedMemory;
  readonly #lengthBytes: number;
  readonly #countMax: number;
  #count = 0;
  #inUseMax = 0;

  constructor(memory: AlignedMemory, dataBytes: number, shareBytes: number) {
    this.#memory = memory;
    this.#lengthBytes = dataBytes + 2 * blockSlackBytes;
    this.#countMax = Math.floor(shareBytes / (Math.ceil(this.#lengthBytes / pageBytes) * pageBytes));
    assert.ok(
      this.#countMax >= 1,
      `a share of ${shareBytes} bytes has no room for one buffer of ${dataBytes} bytes`,
    );
  }

  take(): Uint8Array | undefined {
    let buffer = this.#free.pop();
    if (buffer === undefined && this.#count < this.#countMax) {
      buffer = this.#memory.allocate(this.#lengthBytes);
      this.#count += 1;
    }
    this.#inUseMax = Math.max(this.#inUseMax, this.#count - this.#free.length);
    return buffer;
  }

  put(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }

  statistics(): BufferStatistics {
    return {
      countMax: this.#countMax,
      inUse: this.#count - this.#free.length,
      inUseMax: this.#inUseMax,
      waiting: this.waiters.size,
    };
  }
}
