import { KiB } from '../../base/units.js';
import type { BodySink } from './body-writer.js';
import type { BufferLoan } from '../buffers/buffer-loan.js';

/**
 * How much TLS is given at once while buffers are short. It encrypts some of what it gets and copies
 * the rest, which is freed by a garbage collection long after the connection was closed: 300 clients
 * that read nothing took 170 MiB so.
 */
const stepBytes = 64 * KiB;

interface Writing {
  readonly data: Uint8Array;
  readonly written: (error?: Error | null) => void;
}

/**
 * Hands writes on as they are, but in small steps, each after the one before it, while
 * others wait for buffers.
 */
export class SteppedSink implements BodySink {
  readonly #queue: Writing[] = [];
  /** Of the first in the queue. */
  #givenBytes = 0;
  #ending = false;

  constructor(
    private readonly sink: BodySink,
    private readonly buffers: BufferLoan,
  ) {}

  write(data: Uint8Array, written: (error?: Error | null) => void): boolean {
    const isShort = data.length <= stepBytes || !this.buffers.areShort;
    if (this.#queue.length === 0 && isShort) return this.sink.write(data, written);
    this.#queue.push({ data, written });
    if (this.#queue.length === 1) this.#step();
    return false;
  }

  end(): void {
    this.#ending = true;
    if (this.#queue.length === 0) this.sink.end();
  }

  onClose(closed: () => void): void {
    this.sink.onClose(closed);
  }

  #step(): void {
    const [first] = this.#queue;
    if (first === undefined) return;
    const { data, written } = first;
    const step = data.subarray(this.#givenBytes, this.#givenBytes + stepBytes);
    this.#givenBytes += step.length;
    this.sink.write(step, (error) => {
      const failed = (error ?? undefined) !== undefined;
      if (!failed && this.#givenBytes < data.length) {
        this.#step();
        return;
      }
      this.#queue.shift();
      this.#givenBytes = 0;
      // Whoever is told may write more, which then comes after what waits already.
      if (this.#queue.length > 0) this.#step();
      else if (this.#ending) this.sink.end();
      written(error);
    });
  }
}
