import { releaseMemory } from '../../node-internals/release-memory.js';
import type { BodySink, BodyWriter } from './body-writer.js';
import type { BufferLoan } from '../buffers/buffer-loan.js';

/**
 * Collects the small pieces in which a body arrives and sends them as few large ones. TLS delivers 16 KiB
 * at a time, and every write to a TLS connection costs a system call and a buffer of its own: relaying 1
 * GiB piece by piece took three times the CPU.
 *
 * No byte waits in the hope that more will come. When nothing is being sent, what has arrived is sent at
 * the end of the event loop's turn; while something is being sent, what arrives is collected for the
 * next write. The memory is lent by `BufferLoan`. When the loan has no buffer, what has arrived waits,
 * and the caller is told to stop.
 */
export class CoalescingWriter implements BodyWriter {
  readonly #sink: BodySink;
  readonly #loan: BufferLoan;
  readonly #onRoom: () => void;
  /** Full and being sent. */
  readonly #full = new Set<Buffer<ArrayBuffer>>();
  readonly #waiting: Buffer<ArrayBuffer>[] = [];
  /** How much of the first waiting chunk has been copied. */
  #usedBytes = 0;
  #filling: Buffer<ArrayBuffer> | undefined;
  #filledBytes = 0;
  /** How much of the filling buffer the sink was given. */
  #givenBytes = 0;
  /** The caller may be writing behind the filled part of the filling buffer. */
  #isTarget = false;
  /** The caller was told to wait for room. */
  #owesRoom = false;
  /** Writes to the sink under way. */
  #sending = 0;
  #writesDone = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #ending = false;
  #stopped = false;

  /** @param onRoom called when `write` or `filled` has returned false and more can be taken */
  constructor(sink: BodySink, loan: BufferLoan, onRoom: () => void) {
    this.#sink = sink;
    this.#loan = loan;
    this.#onRoom = onRoom;
  }

  get isWaitingForBuffer(): boolean {
    return this.#loan.isWaiting;
  }

  /** The sink has not sent all that it was given. */
  get isSending(): boolean {
    return this.#sending > 0;
  }

  /** How many writes the sink has ended. */
  get writesDone(): number {
    return this.#writesDone;
  }

  write(chunk: Buffer<ArrayBuffer>): boolean {
    this.#isTarget = false;
    this.#waiting.push(chunk);
    this.#fill();
    this.#owesRoom = this.#waiting.length > 0;
    if (this.#owesRoom) this.#borrow();
    return !this.#owesRoom;
  }

  /**
   * Memory for the next bytes, which saves copying them. It is the caller's to write to until it
   * calls `filled`, `write` or `stop`.
   * @returns undefined when there is none: then the bytes can only be written
   */
  target(): Buffer<ArrayBuffer> | undefined {
    if (this.#waiting.length > 0 || this.#stopped) return undefined;
    this.#filling ??= this.#loan.take();
    if (this.#filling === undefined) return undefined;
    this.#isTarget = true;
    return this.#filling.subarray(this.#filledBytes);
  }

  /**
   * Takes the first `lengthBytes` bytes of the target, at least one.
   * @returns false when no more should come before `onRoom`
   */
  filled(lengthBytes: number): boolean {
    this.#isTarget = false;
    this.#filledBytes += lengthBytes;
    this.#sendSoon();
    this.#filling ??= this.#loan.take();
    this.#owesRoom = this.#filling === undefined;
    return !this.#owesRoom;
  }

  end(): void {
    this.#ending = true;
    this.#endWhenEmpty();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearImmediate(this.#scheduled);
    this.#waiting.length = 0;
    if (this.#sending === 0 || this.#givenBytes === 0) this.#giveUpFilling();
    if (this.#sending > 0) this.#sink.onClose(this.#onSinkClose);
  }

  #fill(): void {
    for (let chunk = this.#waiting[0]; chunk !== undefined; chunk = this.#waiting[0]) {
      this.#filling ??= this.#loan.take();
      if (this.#filling === undefined) return;
      const copiedBytes = chunk.copy(this.#filling, this.#filledBytes, this.#usedBytes);
      this.#usedBytes += copiedBytes;
      this.#filledBytes += copiedBytes;
      if (this.#usedBytes === chunk.length) {
        this.#waiting.shift();
        this.#usedBytes = 0;
        releaseMemory(chunk);
      }
      this.#sendSoon();
    }
  }

  /** Sends a full buffer at once. One that is not full is sent at the end of the event loop's turn. */
  #sendSoon(): void {
    if (this.#filledBytes === this.#filling?.length) this.#flush();
    else if (this.#sending === 0 && this.#filledBytes > this.#givenBytes) {
      this.#scheduled ??= setImmediate(() => {
        this.#flush();
      });
    }
  }

  #flush(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const buffer = this.#filling;
    if (buffer === undefined || this.#filledBytes === this.#givenBytes) return;
    const data = buffer.subarray(this.#givenBytes, this.#filledBytes);
    this.#givenBytes = this.#filledBytes;
    const isFull = this.#filledBytes === buffer.length;
    if (isFull) {
      this.#full.add(buffer);
      this.#leaveBuffer();
    }
    this.#sending++;
    this.#sink.write(data, (error) => {
      this.#sending--;
      this.#writesDone++;
      // Writes are completed in order, so the earlier parts of this buffer have been sent as well.
      if (isFull && this.#full.delete(buffer)) this.#loan.put(buffer);
      // A failure is reported by the connection's own events, so there is nothing to do here.
      if (!this.#stopped && (error ?? undefined) === undefined) this.#sent();
      else if (this.#stopped && this.#sending === 0) this.#giveUpFilling();
    });
  }

  #sent(): void {
    if (this.#stopped) return;
    this.#fill();
    if (this.#sending === 0) this.#flush();
    this.#rewind();
    this.#makeRoom();
    this.#endWhenEmpty();
  }

  #makeRoom(): void {
    if (!this.#owesRoom) return;
    if (this.#waiting.length === 0 && (this.#filling !== undefined || this.#loan.hasIdle)) {
      this.#owesRoom = false;
      this.#onRoom();
    } else {
      this.#borrow();
    }
  }

  /** Asks for a buffer when there is none. One that is being sent will do as well, once it is sent. */
  #borrow(): void {
    this.#loan.borrowLater(this.#onBuffer);
  }

  readonly #onBuffer = (): void => {
    this.#sent();
  };

  /** Frees the filling buffer when all of it was sent and nobody writes to it. */
  #rewind(): void {
    const isIdle = this.#sending === 0 && this.#filledBytes === this.#givenBytes && !this.#isTarget;
    const filling = this.#filling;
    if (filling === undefined || !isIdle) return;
    this.#leaveBuffer();
    this.#loan.put(filling);
  }

  /** Gives the filling buffer back. Called when nothing of it is being sent or will be. */
  #giveUpFilling(): void {
    const filling = this.#filling;
    if (filling === undefined) return;
    // The daemon's connection may still receive into the memory that it was given as a
    // target, so nobody else may use it.
    if (this.#isTarget) this.#loan.abandon(filling);
    else this.#loan.put(filling);
    this.#leaveBuffer();
  }

  /**
   * When the connection closes, a write that is still queued may never be called back, so
   * the buffers are given back here.
   */
  readonly #onSinkClose = (): void => {
    for (const buffer of this.#full) this.#loan.put(buffer);
    this.#full.clear();
    this.#giveUpFilling();
  };

  #leaveBuffer(): void {
    this.#filling = undefined;
    this.#filledBytes = 0;
    this.#givenBytes = 0;
  }

  #endWhenEmpty(): void {
    if (!this.#ending || this.#waiting.length > 0) return;
    this.#ending = false;
    this.#flush();
    this.#sink.end();
  }
}
