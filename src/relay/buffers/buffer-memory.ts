import { releaseMemory } from '../../node-internals/release-memory.js';
import { KiB, MiB } from '../../base/units.js';

/**
 * Of a few transfers. What is written to a TLS connection at once is also encrypted, sent and waited for at
 * once: 256 KiB take a twentieth more CPU for each GiB that is relayed, 512 KiB a little more.
 */
export const largeBufferBytes = MiB;
/**
 * Of all transfers beyond those, so that hundreds of stuck clients hold a quarter of
 * what they would with large ones.
 */
export const smallBufferBytes = 256 * KiB;
/** Large buffers there may be: those of eight transfers. */
const largeMax = 16;
/** Small buffers that stay for later transfers: enough for a burst; a few more just get new ones. */
const keptSmallMax = 64;

/** Makes the buffers that relayed bodies pass through, and keeps some for the next. */
export class BufferMemory {
  readonly #large: Buffer<ArrayBuffer>[] = [];
  readonly #small: Buffer<ArrayBuffer>[] = [];
  #largeInUse = 0;

  /** Another large buffer may be taken. */
  get hasLarge(): boolean {
    return this.#largeInUse < largeMax;
  }

  /** @returns memory of that length with whatever was in it */
  take(lengthBytes: number): Buffer<ArrayBuffer> {
    if (lengthBytes !== largeBufferBytes)
      return this.#small.pop() ?? Buffer.allocUnsafeSlow(smallBufferBytes);
    this.#largeInUse++;
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(largeBufferBytes);
  }

  /**
   * Takes back memory that nobody touches any more.
   * @param areShort small buffers are what is needed next, so that a large one would only lie about
   */
  giveBack(buffer: Buffer<ArrayBuffer>, areShort: boolean): void {
    this.abandon(buffer);
    if (buffer.length !== largeBufferBytes) {
      if (this.#small.length < keptSmallMax) this.#small.push(buffer);
    } else if (areShort) releaseMemory(buffer);
    else this.#large.push(buffer);
  }

  /** Leaves memory that somebody may still touch to the garbage collector. */
  abandon(buffer: Buffer<ArrayBuffer>): void {
    if (buffer.length === largeBufferBytes) this.#largeInUse--;
  }
}
