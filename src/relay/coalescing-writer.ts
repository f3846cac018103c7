import { releaseMemory } from '../node-internals/release-memory.js';
import { RelayBuffers } from './relay-buffers.js';

/** Where a relayed body goes: the response to the client, or the request to the daemon. */
export interface BodySink {
  write(data: Uint8Array, written: (error?: Error | null) => void): boolean;
  end(): unknown;
}

// One is being sent while the other fills.
const buffersMax = 2;
const relayBuffers = new RelayBuffers();

/**
 * Sends the small pieces in which a body arrives as few large ones. TLS delivers 16 KiB at a time, and every write to a TLS
 * connection costs a system call and a buffer of its own: relaying 1 GiB piece by piece took three times the CPU.
 *
 * Nothing waits for more to come: while nothing is being sent, what is there goes out at the end of the event loop's turn, and while
 * something is, the next piece gathers. Memory is two buffers, and only for bodies that need them.
 */
export class CoalescingWriter {
  readonly #sink: BodySink;
  readonly #onRoom: () => void;
  /** All that were taken. One may be filling; those that are neither that nor free are full and being sent. */
  readonly #buffers: Buffer<ArrayBuffer>[] = [];
  readonly #free: Buffer<ArrayBuffer>[] = [];
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
  #scheduled: NodeJS.Immediate | undefined;
  #ending = false;
  #stopped = false;

  /** @param onRoom called when `write` or `filled` has returned false and more can be taken */
  constructor(sink: BodySink, onRoom: () => void) {
    this.#sink = sink;
    this.#onRoom = onRoom;
  }

  /** Takes `chunk`, whose memory is then not the caller's any more. @returns false when no more should come before `onRoom` */
  write(chunk: Buffer<ArrayBuffer>): boolean {
    this.#isTarget = false;
    this.#waiting.push(chunk);
    this.#fill();
    this.#owesRoom = this.#waiting.length > 0;
    return !this.#owesRoom;
  }

  /**
   * Memory for the next bytes, which saves copying them. It is the caller's to write to until it calls `filled`, `write` or `stop`.
   * @returns undefined when there is none: then the bytes can only be written
   */
  target(): Buffer<ArrayBuffer> | undefined {
    if (this.#waiting.length > 0 || this.#stopped) return undefined;
    this.#filling ??= this.#next();
    if (this.#filling === undefined) return undefined;
    this.#isTarget = true;
    return this.#filling.subarray(this.#filledBytes);
  }

  /** Takes the first `lengthBytes` bytes of the target, at least one. @returns false when no more should come before `onRoom` */
  filled(lengthBytes: number): boolean {
    this.#isTarget = false;
    this.#filledBytes += lengthBytes;
    this.#sendSoon();
    this.#filling ??= this.#next();
    this.#owesRoom = this.#filling === undefined;
    return !this.#owesRoom;
  }

  /** Ends the sink after what was taken. */
  end(): void {
    this.#ending = true;
    this.#endWhenEmpty();
  }

  /** Sends nothing more of what was taken. To be called however the body ends; the sink may still be sending. Idempotent. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearImmediate(this.#scheduled);
    this.#waiting.length = 0;
    this.#rewind();
    for (const buffer of this.#buffers) {
      // Who knows when the sockets let go of the others.
      if (this.#free.includes(buffer)) relayBuffers.giveBack(buffer);
      else relayBuffers.abandon(buffer);
    }
  }

  #fill(): void {
    for (let chunk = this.#waiting[0]; chunk !== undefined; chunk = this.#waiting[0]) {
      this.#filling ??= this.#next();
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

  #next(): Buffer<ArrayBuffer> | undefined {
    const free = this.#free.pop();
    if (free !== undefined || this.#buffers.length === buffersMax) return free;
    const buffer = relayBuffers.take();
    this.#buffers.push(buffer);
    return buffer;
  }

  /** Sends a full buffer now, and of another what is there at the end of the turn. */
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
    if (isFull) this.#leaveBuffer();
    this.#sending++;
    this.#sink.write(data, (error) => {
      this.#sending--;
      // The connection says by itself that it failed.
      if (this.#stopped || (error ?? undefined) !== undefined) return;
      // Writes end in their order, so what was sent of it before has been as well.
      if (isFull) this.#free.push(buffer);
      this.#sent();
    });
  }

  #sent(): void {
    this.#fill();
    if (this.#sending === 0) this.#flush();
    this.#rewind();
    if (
      this.#owesRoom &&
      this.#waiting.length === 0 &&
      (this.#filling !== undefined || this.#free.length > 0)
    ) {
      this.#owesRoom = false;
      this.#onRoom();
    }
    this.#endWhenEmpty();
  }

  /** Frees the filling buffer when all of it was sent and nobody writes to it. */
  #rewind(): void {
    const isIdle = this.#sending === 0 && this.#filledBytes === this.#givenBytes && !this.#isTarget;
    if (this.#filling === undefined || !isIdle) return;
    this.#free.push(this.#filling);
    this.#leaveBuffer();
  }

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
