import { KiB, MiB } from '../units.js';

/**
 * Of a few transfers. What is written to a TLS connection at once is also encrypted, sent and waited for at once: 256 KiB take a
 * twentieth more CPU for each GiB that is relayed, 512 KiB a little more.
 */
const largeBytes = MiB;
/** Of all transfers beyond those, so that hundreds of stuck clients hold a quarter of what they would with large ones. */
const smallBytes = 256 * KiB;
/** Large buffers there may be: those of eight transfers. */
const largeMax = 16;
/** Small buffers that stay for later transfers: enough for a burst; a few more just get new ones. */
const keptSmallMax = 64;

/** The memory that relayed bodies pass through. */
export class RelayBuffers {
  readonly #large: Buffer<ArrayBuffer>[] = [];
  readonly #small: Buffer<ArrayBuffer>[] = [];
  #largeInUse = 0;

  /** @returns memory with whatever was in it */
  take(): Buffer<ArrayBuffer> {
    if (this.#largeInUse === largeMax) return this.#small.pop() ?? Buffer.allocUnsafeSlow(smallBytes);
    this.#largeInUse++;
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(largeBytes);
  }

  /** Takes back memory that nobody touches any more. */
  giveBack(buffer: Buffer<ArrayBuffer>): void {
    if (buffer.length === largeBytes) this.#large.push(buffer);
    else if (this.#small.length < keptSmallMax) this.#small.push(buffer);
    this.abandon(buffer);
  }

  /** Leaves memory that somebody may still touch to the garbage collector. */
  abandon(buffer: Buffer<ArrayBuffer>): void {
    if (buffer.length === largeBytes) this.#largeInUse--;
  }
}
