import type { BlockDigests } from './block-digests.js';
import { RangeSet, type ByteRange } from './byte-ranges.js';
import type { HashingDisk } from './disk.js';
import { TransferError } from './failure.js';
import { toHex } from './hashing.js';
import { pauseFor } from './pause-for.js';

export interface EarlyVerificationOptions {
  /** What was moved, as far as it was seen. */
  readonly seen: BlockDigests;
  /** Hashes itself. */
  readonly hashing: HashingDisk;
  /** Of a disk that is written: what is compared is on stable storage, as it is at the end. */
  readonly flush: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Ends it, with what is under way. */
  readonly signal: AbortSignal;
}

/** Asked for at once: fewer blocks are not worth a flush and a request. */
export const blocksMin = 16;
/** A service that is away or at a limit is left alone for so long. */
const restSeconds = 30;

/**
 * Compares blocks that are moved while others are on their way, so that storage, network and processors which
 * wait for the transfer have work. It finds out what is equal and no more: what it could not compare, and
 * what differs, is left to the verification at the end, which says what is wrong.
 */
export class EarlyVerification {
  #ready = new RangeSet();
  #asked = new RangeSet();
  #equal = new RangeSet();
  #news = Promise.withResolvers<undefined>();
  #isEnded = false;
  readonly #finished: Promise<void>;

  constructor(private readonly options: EarlyVerificationOptions) {
    this.#finished = this.#run();
  }

  /** Whole blocks are on the target, and stay as they are. */
  moved(blocks: ByteRange): void {
    this.#ready.add(blocks);
    this.#wake();
  }

  /** All may be written again, and has to be compared again. */
  forget(): void {
    this.#ready = new RangeSet();
    this.#asked = new RangeSet();
    this.#equal = new RangeSet();
  }

  /** Asks for nothing any more. @returns what is equal, when all that was asked for is compared */
  async end(): Promise<RangeSet> {
    this.#isEnded = true;
    this.#wake();
    await this.#finished;
    return this.#equal;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.options;
    const wake = (): void => {
      this.#wake();
    };
    signal.addEventListener('abort', wake);
    try {
      while (!this.#isEnded && !signal.aborted) {
        const range = this.#next();
        if (range === undefined) await this.#news.promise;
        else await this.#tryToCompare(range);
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  async #tryToCompare(range: ByteRange): Promise<void> {
    const { signal } = this.options;
    try {
      await this.#compare(range);
    } catch (error: unknown) {
      const mayPass = error instanceof TransferError && error.details.retryable;
      if (!mayPass) this.#isEnded = true;
      else await Promise.race([pauseFor(restSeconds, signal).catch(() => undefined), this.#ending()]);
    }
  }

  async #compare(range: ByteRange): Promise<void> {
    const { seen, hashing, flush, signal } = this.options;
    const equal = this.#equal;
    this.#asked.add(range);
    await flush?.(signal);
    const blocks = await hashing.digests(seen.hasher.algorithm, seen.blockBytes, range, signal);
    if (blocks === undefined) {
      this.#isEnded = true;
      return;
    }
    for await (const { offsetBytes, lengthBytes, digest } of blocks) {
      const index = offsetBytes / seen.blockBytes;
      const own = await seen.of(index);
      if (own !== undefined && toHex(own) === digest && seen.rangeOf(index).lengthBytes === lengthBytes)
        equal.add({ offsetBytes, lengthBytes });
    }
  }

  #next(): ByteRange | undefined {
    const lengthMin = blocksMin * this.options.seen.blockBytes;
    for (const range of this.#ready)
      for (const gap of this.#asked.gaps(range)) if (gap.lengthBytes >= lengthMin) return gap;
    return undefined;
  }

  async #ending(): Promise<void> {
    while (!this.#isEnded) await this.#news.promise;
  }

  #wake(): void {
    this.#news.resolve(undefined);
    this.#news = Promise.withResolvers<undefined>();
  }
}
