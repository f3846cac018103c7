import { releaseMemory } from '../../node-internals/release-memory.js';
import { KiB } from '../../base/units.js';
import type { BodySink, BodyWriter } from './body-writer.js';

/**
 * How much the sink may be sending before the next piece has to wait: a short body, and
 * less than one piece more.
 */
const sendingBytesMax = 64 * KiB;

/** Sends the pieces of a body on as they are: short bodies, which need no buffer so, and wait for nobody. */
export class PassThroughWriter implements BodyWriter {
  readonly isWaitingForBuffer = false;
  #sendingBytes = 0;
  #owesRoom = false;
  #stopped = false;

  /** @param onRoom called when `write` has returned false and more can be taken */
  constructor(
    private readonly sink: BodySink,
    private readonly onRoom: () => void,
  ) {}

  write(chunk: Buffer<ArrayBuffer>): boolean {
    const { length } = chunk;
    this.#sendingBytes += length;
    this.#owesRoom = this.#sendingBytes >= sendingBytesMax;
    this.sink.write(chunk, (error) => {
      // The connection says by itself that it failed.
      if ((error ?? undefined) !== undefined) return;
      this.#sendingBytes -= length;
      releaseMemory(chunk);
      if (!this.#owesRoom || this.#stopped || this.#sendingBytes >= sendingBytesMax) return;
      this.#owesRoom = false;
      this.onRoom();
    });
    return !this.#owesRoom;
  }

  end(): void {
    this.sink.end();
  }

  stop(): void {
    this.#stopped = true;
  }
}
