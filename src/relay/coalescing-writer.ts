import { releaseMemory } from '../http/release-memory.js';
import { KiB } from '../units.js';

/** Where a relayed body goes: the response to the client, or the request to the daemon. */
export interface BodySink {
  write(data: Uint8Array, written: (error?: Error | null) => void): boolean;
  end(): unknown;
}

const bufferBytes = 256 * KiB;
// One is being sent while the other fills.
const buffersMax = 2;
// Enough for a burst of relays; a few more just get new ones.
const keptMax = 64;
const kept: Buffer[] = [];

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
  readonly #free: Buffer[] = [];
  readonly #waiting: Buffer<ArrayBuffer>[] = [];
  /** How much of the first waiting chunk has been copied. */
  #usedBytes = 0;
  #filling: Buffer | undefined;
  #filledBytes = 0;
  #buffers = 0;
  #sending = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #ending = false;
  #stopped = false;

  /** @param onRoom called when `write` has returned false and more can be taken */
  constructor(sink: BodySink, onRoom: () => void) {
    this.#sink = sink;
    this.#onRoom = onRoom;
  }

  /** Takes `chunk`, whose memory is then not the caller's any more. @returns false when no more should come before `onRoom` */
  write(chunk: Buffer<ArrayBuffer>): boolean {
    this.#waiting.push(chunk);
    this.#fill();
    return this.#waiting.length === 0;
  }

  /** Ends the sink after what was written. */
  end(): void {
    this.#ending = true;
    this.#endWhenEmpty();
  }

  /** Sends nothing more of what was taken. To be called however the body ends; the sink may still be sending. Idempotent. */
  stop(): void {
    this.#stopped = true;
    clearImmediate(this.#scheduled);
    this.#waiting.length = 0;
    // A buffer that is being sent is left to the garbage collector: who knows when the socket lets go of it.
    for (const buffer of this.#free.splice(0)) if (kept.length < keptMax) kept.push(buffer);
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
      if (this.#filledBytes === bufferBytes) this.#flush();
    }
    if (this.#sending > 0 || this.#filledBytes === 0) return;
    this.#scheduled ??= setImmediate(() => {
      this.#flush();
    });
  }

  #next(): Buffer | undefined {
    const free = this.#free.pop();
    if (free !== undefined || this.#buffers === buffersMax) return free;
    this.#buffers++;
    return kept.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  }

  #flush(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const buffer = this.#filling;
    if (buffer === undefined || this.#filledBytes === 0) return;
    const data = buffer.subarray(0, this.#filledBytes);
    this.#filling = undefined;
    this.#filledBytes = 0;
    this.#sending++;
    this.#sink.write(data, (error) => {
      this.#sent(buffer, error ?? undefined);
    });
  }

  #sent(buffer: Buffer, error: Error | undefined): void {
    this.#sending--;
    // The connection says by itself that it failed.
    if (error !== undefined || this.#stopped) return;
    this.#free.push(buffer);
    const wasFull = this.#waiting.length > 0;
    this.#fill();
    if (this.#sending === 0) this.#flush();
    if (wasFull && this.#waiting.length === 0) this.#onRoom();
    this.#endWhenEmpty();
  }

  #endWhenEmpty(): void {
    if (!this.#ending || this.#waiting.length > 0) return;
    this.#ending = false;
    this.#flush();
    this.#sink.end();
  }
}
