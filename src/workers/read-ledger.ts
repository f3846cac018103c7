import { KiB } from '../base/units.js';

/** Of the two counters, each on a cache line of its own, as two threads write them. */
const cacheLineInts = 16;
const headerBytes = 2 * cacheLineInts * Int32Array.BYTES_PER_ELEMENT;
const written = 0;
const read = cacheLineInts;

/** Grant, offset, length, time. */
const numbersPerEntry = 4;

/**
 * Entries of one thread. The main thread is asked to read them when half of them are used, which at 30,000
 * requests a second leaves it 70 ms.
 */
const entriesMax = 4 * KiB;

/** A part of an image that a thread has sent. */
export interface LedgerEntry {
  /** By which grant. */
  readonly cell: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** Of CLOCK_MONOTONIC. */
  readonly atSeconds: number;
}

/**
 * What one thread has sent to clients, in memory that it shares with the main thread: written before the last
 * byte of an answer leaves, so that whoever has the answer and asks the main thread is told of it. One thread
 * writes and one reads, and neither waits for the other.
 */
export class ReadLedger {
  readonly #counters: Int32Array;
  readonly #numbers: Float64Array;

  constructor(readonly memory = emptyMemory()) {
    this.#counters = new Int32Array(memory, 0, headerBytes / Int32Array.BYTES_PER_ELEMENT);
    this.#numbers = new Float64Array(memory, headerBytes);
  }

  /** How many entries were not read yet. */
  get count(): number {
    // The counters wrap around, their difference does not.
    return (Atomics.load(this.#counters, written) - Atomics.load(this.#counters, read)) | 0;
  }

  get isFull(): boolean {
    return this.count >= entriesMax;
  }

  /** Somebody should read. True for one entry only, until it was read. */
  get isHalfFull(): boolean {
    return this.count === entriesMax / 2;
  }

  /** To be called where there is room, by the one thread that writes. */
  add({ cell, offsetBytes, lengthBytes, atSeconds }: LedgerEntry): void {
    if (this.isFull) throw new Error('The ledger has no room');
    const count = Atomics.load(this.#counters, written);
    this.#numbers.set([cell, offsetBytes, lengthBytes, atSeconds], placeOf(count));
    Atomics.store(this.#counters, written, (count + 1) | 0);
  }

  /** Reads all entries, by the one thread that reads. */
  drain(take: (entry: LedgerEntry) => void): void {
    const end = Atomics.load(this.#counters, written);
    for (let count = Atomics.load(this.#counters, read); count !== end; count = (count + 1) | 0) {
      const place = placeOf(count);
      const [cell = 0, offsetBytes = 0, lengthBytes = 0, atSeconds = 0] = this.#numbers.subarray(
        place,
        place + numbersPerEntry,
      );
      Atomics.store(this.#counters, read, (count + 1) | 0);
      take({ cell, offsetBytes, lengthBytes, atSeconds });
    }
  }
}

/** Where an entry begins. `entriesMax` is a power of two, so this is right where the counter wraps around. */
function placeOf(count: number): number {
  return (count & (entriesMax - 1)) * numbersPerEntry;
}

function emptyMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(headerBytes + entriesMax * numbersPerEntry * Float64Array.BYTES_PER_ELEMENT);
}
