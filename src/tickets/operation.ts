import type { ByteRange } from '../units.js';
import type { OrderedWrite } from './write-order.js';

/** What an operation does to the image. A flush and a checksum move no image bytes to or from the client. */
export type OperationKind = 'read' | 'write' | 'zero' | 'flush' | 'extents' | 'checksum' | 'options';

/** What the ticket that an operation belongs to wants to hear from it. */
export interface OperationOwner {
  progressed(operation: Operation, range: ByteRange): void;
  ended(operation: Operation): void;
}

/** Who else wants to know how much an operation moves, such as metrics. Called for each I/O, so it must be quick and never throw. */
export interface ProgressListener {
  progressed(lengthBytes: number): void;
}

/**
 * One running operation of a ticket. Whoever runs it checks `signal` between two I/Os and calls `end()` only when no I/O of it is
 * under way any more: removing a ticket waits for exactly that.
 */
export class Operation {
  readonly #controller = new AbortController();
  readonly #owner: OperationOwner;
  #listener: ProgressListener | undefined;
  #doneBytes = 0;
  #overtakenBytes = 0;
  #ended = false;

  /** @param write its place among the requests that change the image; absent for one that does not */
  constructor(
    owner: OperationOwner,
    readonly kind: OperationKind,
    private readonly write?: OrderedWrite,
  ) {
    this.#owner = owner;
  }

  /** Aborted with the error that the client should get. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Bytes that are finished. */
  get doneBytes(): number {
    return this.#doneBytes;
  }

  /** Bytes that were dropped because younger requests have written theirs. */
  get overtakenBytes(): number {
    return this.#overtakenBytes;
  }

  /** Tells `listener` of all progress from now on. */
  report(listener: ProgressListener): void {
    this.#listener = listener;
  }

  /**
   * Changes `range` of the image by `change`, except for what younger requests have written of it: that is
   * dropped. `change` is called for each part that is left, whose progress is then reported. It is not
   * called any more once the signal has aborted.
   */
  async change(range: ByteRange, change: (part: ByteRange) => Promise<void>): Promise<void> {
    if (this.write === undefined) throw new Error(`A ${this.kind} was not registered to change the image`);
    let leftBytes = range.lengthBytes;
    await this.write.apply(range, this.signal, async (part) => {
      await change(part);
      leftBytes -= part.lengthBytes;
      this.progress(part);
    });
    this.#overtakenBytes += leftBytes;
  }

  /** One I/O finished and `range` is transferred. */
  progress(range: ByteRange): void {
    this.#doneBytes += range.lengthBytes;
    this.#owner.progressed(this, range);
    this.#listener?.progressed(range.lengthBytes);
  }

  /** Asks the operation to stop after the I/O in flight. The first reason counts. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** No I/O of it is running any more. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.write?.end();
    this.#owner.ended(this);
  }
}
