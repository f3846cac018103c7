import assert from 'node:assert/strict';

import { UnavailableError } from '../../base/errors.js';
import { KiB, MiB } from '../../base/units.js';
import { type Claimant, FairShares } from './fair-shares.js';
import { AlignedMemory, blockSlackBytes, pageBytes } from './aligned-memory.js';

/** `large` for bodies and checksums, `small` for what is known to be short or slow. */
export type BufferSize = 'large' | 'small';

/** What there is, and how it is divided. */
export interface PoolSize {
  readonly poolBytes: number;
  readonly bufferBytes: number;
}

export interface BufferPoolOptions {
  /** The most memory that all buffers together take (`buffer_pool_bytes`). */
  readonly poolBytes: number;
  /** Bytes of data in a large buffer. */
  readonly bufferBytes?: number;
  /** How long an operation waits for its first buffer before it is refused. */
  readonly waitSeconds?: number;
  /** How long a client that does nothing keeps a buffer that others wait for. */
  readonly stallSeconds?: number;
}

export interface BufferRequest {
  readonly size: BufferSize;
  readonly claimant: Claimant;
  readonly signal?: AbortSignal | undefined;
}

/**
 * How many buffers of one size exist at most, are out, were out at once at most, and
 * how many operations wait.
 */
export interface BufferStatistics {
  readonly countMax: number;
  readonly inUse: number;
  readonly inUseMax: number;
  readonly waiting: number;
}

/** Somebody who may hold buffers that it has no use for at the moment. */
export interface BufferHolder {
  /** Set by the pool: the position of the holder in the pool's list. */
  place: number;
  /** Somebody waits: gives back what lies idle. */
  giveBackIdle(): void;
  /**
   * Others go on waiting, which is asked about every second: gives back what a client keeps it from using.
   * @returns whether the transfer ends for that
   */
  giveBackStalled(): boolean;
}

/**
 * Of a small buffer. No option: `buffer_bytes` may be as small, and whoever has more to
 * move takes large ones.
 */
export const smallBufferBytes = 64 * KiB;

/** Small buffers get this part of the pool, so that neither size can starve the other. */
const smallShare = 1 / 8;

/** How often it is looked who keeps buffers from those who wait. */
const stallCheckMilliseconds = 1000;

/**
 * The bounded set of page-aligned buffers that image data passes through. Each buffer holds `bufferBytes`
 * (or 64 KiB) of data and twice `blockSlackBytes` around it, as `Backend.read` asks.
 *
 * It knows to whom each buffer is lent, and shares them between tickets (`FairShares`). While somebody
 * waits, a transfer gives each buffer back that it is done with, if its ticket holds more than the one that
 * waits, and queues for the next one. What lies idle is given back at once, and what a client keeps busy
 * without moving a byte after `stallSeconds`. So everyone moves on, in smaller steps.
 *
 * Deadlock freedom: nobody holds a buffer for the sake of getting another one. Whoever waits for its first
 * buffer is refused after `waitSeconds`; a transfer that has begun waits for as long as its client does.
 */
export class BufferPool {
  readonly #classes: Readonly<Record<BufferSize, BufferClass>>;
  /**
   * Holders by position; positions are used again. Sets and arrays that shrink and grow leave
   * old tables behind, whose content V8's collections of young objects keep alive: with them
   * small requests took 30 MiB more.
   */
  readonly #holders: (BufferHolder | undefined)[] = [];
  readonly #freePlaces: number[] = [];
  readonly #waitSeconds: number;
  #stallCheck: NodeJS.Timeout | undefined;
  readonly bufferBytes: number;
  readonly stallSeconds: number;

  /** How many buffers of each size there can be. */
  static counts({ poolBytes, bufferBytes }: PoolSize): Readonly<Record<BufferSize, number>> {
    const shares = sharesOf(poolBytes);
    return {
      large: buffersIn(shares.large, bufferBytes),
      small: buffersIn(shares.small, smallBufferBytes),
    };
  }

  constructor(options: BufferPoolOptions) {
    this.bufferBytes = options.bufferBytes ?? MiB;
    this.#waitSeconds = options.waitSeconds ?? 10;
    this.stallSeconds = options.stallSeconds ?? 5;
    const memory = new AlignedMemory();
    const shares = sharesOf(options.poolBytes);
    this.#classes = {
      large: new BufferClass(memory, this.bufferBytes, shares.large),
      small: new BufferClass(memory, smallBufferBytes, shares.small),
    };
  }

  /** From now on `holder` is asked to give back while others wait. */
  join(holder: BufferHolder): void {
    holder.place = this.#freePlaces.pop() ?? this.#holders.length;
    this.#holders[holder.place] = holder;
  }

  leave(holder: BufferHolder): void {
    this.#holders[holder.place] = undefined;
    this.#freePlaces.push(holder.place);
  }

  /**
   * Takes the first buffer of an operation.
   * @throws UnavailableError when none came free within the wait; the signal's reason when it aborts first
   */
  async acquireFirst(request: BufferRequest): Promise<Uint8Array> {
    request.signal?.throwIfAborted();
    const buffer = this.tryAcquire(request.size, request.claimant);
    if (buffer !== undefined) return buffer;
    const tooLong = new AbortController();
    const timer = setTimeout(() => {
      tooLong.abort(this.#refusal(request.size));
    }, this.#waitSeconds * 1000);
    const signals = request.signal === undefined ? [] : [request.signal];
    try {
      return await this.acquire({ ...request, signal: AbortSignal.any([tooLong.signal, ...signals]) });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Takes a buffer after waiting for it, however long. @throws the signal's reason when it aborts first */
  async acquire({ size, claimant, signal }: BufferRequest): Promise<Uint8Array> {
    const bufferClass = this.#classes[size];
    if (!bufferClass.shares.tryTake(claimant)) {
      const taken = bufferClass.shares.take(claimant, signal);
      this.#someoneWaits(bufferClass);
      await taken;
    }
    return bufferClass.lend(claimant);
  }

  /** Takes a buffer if there is one for `claimant`. Nobody who waits is overtaken. */
  tryAcquire(size: BufferSize, claimant: Claimant): Uint8Array | undefined {
    const bufferClass = this.#classes[size];
    return bufferClass.shares.tryTake(claimant) ? bufferClass.lend(claimant) : undefined;
  }

  /** Gives back what was acquired, once. */
  release(buffer: Uint8Array): void {
    this.#classOf(buffer).takeBack(buffer);
  }

  /** Somebody waits who could use `buffer`, which lies idle. */
  isWantedIdle(buffer: Uint8Array): boolean {
    return this.#nextFor(buffer) !== undefined;
  }

  /**
   * Somebody waits who should have `buffer` for its next step: of the same ticket, or of one that holds
   * fewer.
   */
  isWanted(buffer: Uint8Array): boolean {
    const next = this.#nextFor(buffer);
    if (next === undefined) return false;
    const { shares, lent } = this.#classOf(buffer);
    const claimant = lent.get(buffer);
    return claimant === next || (claimant !== undefined && shares.held(next) < shares.held(claimant));
  }

  /** Somebody waits for buffers of this size. */
  isContended(size: BufferSize): boolean {
    return this.#classes[size].shares.waiting > 0;
  }

  statistics(): Readonly<Record<BufferSize, BufferStatistics>> {
    return { large: this.#classes.large.statistics(), small: this.#classes.small.statistics() };
  }

  /** Who would get `buffer` if it came back now. */
  #nextFor(buffer: Uint8Array): Claimant | undefined {
    const { shares, lent } = this.#classOf(buffer);
    if (shares.waiting === 0) return undefined;
    const claimant = lent.get(buffer);
    assert.ok(claimant !== undefined, 'a buffer is used that is not lent');
    return shares.nextAfter(claimant);
  }

  #classOf(buffer: Uint8Array): BufferClass {
    const { large, small } = this.#classes;
    return large.lent.has(buffer) ? large : small;
  }

  #someoneWaits({ shares }: BufferClass): void {
    for (const holder of this.#holders) {
      if (shares.waiting === 0) return;
      holder?.giveBackIdle();
    }
    if (shares.waiting === 0) return;
    this.#stallCheck ??= setInterval(() => {
      this.#checkStalled();
    }, stallCheckMilliseconds).unref();
  }

  /** At most as many transfers are ended as there are others waiting. */
  #checkStalled(): void {
    const { large, small } = this.#classes;
    let waiting = large.shares.waiting + small.shares.waiting;
    for (const holder of this.#holders) {
      if (waiting <= 0) break;
      holder?.giveBackIdle();
      if (holder?.giveBackStalled() === true) waiting -= 1;
    }
    if (large.shares.waiting + small.shares.waiting > 0) return;
    clearInterval(this.#stallCheck);
    this.#stallCheck = undefined;
  }

  #refusal(size: BufferSize): UnavailableError {
    const text =
      this.#classes[size].shares.free > 0
        ? 'All transfer buffers that one image may have are in use'
        : 'All transfer buffers of this server are in use';
    return new UnavailableError(text);
  }
}

/** The buffers of one size. They are made when they are first needed. */
class BufferClass {
  readonly shares: FairShares;
  readonly lent = new Map<Uint8Array, Claimant>();
  readonly #free: Uint8Array[] = [];
  readonly #memory: AlignedMemory;
  readonly #lengthBytes: number;
  #inUseMax = 0;

  constructor(memory: AlignedMemory, dataBytes: number, shareBytes: number) {
    this.#memory = memory;
    this.#lengthBytes = lengthOf(dataBytes);
    const count = buffersIn(shareBytes, dataBytes);
    assert.ok(count >= 1, `a share of ${shareBytes} bytes has no room for one buffer of ${dataBytes} bytes`);
    this.shares = new FairShares(count);
  }

  /** Turns a share that was taken into a buffer. */
  lend(claimant: Claimant): Uint8Array {
    const buffer = this.#free.pop() ?? this.#memory.allocate(this.#lengthBytes);
    this.lent.set(buffer, claimant);
    this.#inUseMax = Math.max(this.#inUseMax, this.lent.size);
    return buffer;
  }

  takeBack(buffer: Uint8Array): void {
    const claimant = this.lent.get(buffer);
    assert.ok(claimant !== undefined, 'a buffer is released twice, or to a pool that it is not from');
    this.lent.delete(buffer);
    this.#free.push(buffer);
    this.shares.give(claimant);
  }

  statistics(): BufferStatistics {
    return {
      countMax: this.shares.count,
      inUse: this.lent.size,
      inUseMax: this.#inUseMax,
      waiting: this.shares.waiting,
    };
  }
}

/** The parts of a pool, in bytes. */
function sharesOf(poolBytes: number): Readonly<Record<BufferSize, number>> {
  const smallBytes = poolBytes * smallShare;
  return { large: poolBytes - smallBytes, small: smallBytes };
}

/** How many buffers of `dataBytes` each are in a share: each takes whole pages. */
function buffersIn(shareBytes: number, dataBytes: number): number {
  return Math.floor(shareBytes / (Math.ceil(lengthOf(dataBytes) / pageBytes) * pageBytes));
}

/** How long a buffer is for so much data. */
function lengthOf(dataBytes: number): number {
  return dataBytes + 2 * blockSlackBytes;
}
