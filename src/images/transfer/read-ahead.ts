import { StorageError } from '../../base/errors.js';
import type { ByteRange } from '../../base/units.js';
import type { Backend } from '../backends/backend.js';
import type { BufferSet } from './buffer-set.js';

export interface Piece {
  readonly buffer: Uint8Array;
  readonly data: Uint8Array;
}

interface Reading {
  readonly offsetBytes: number;
  readonly buffer: Uint8Array;
  readonly piece: Promise<Piece>;
  /** The data is there. */
  isDone: boolean;
}

/**
 * Reads a range of an image in order, always one read under way for each buffer that
 * nobody is sending from.
 */
export class ReadAhead {
  readonly #backend: Backend;
  readonly #buffers: BufferSet;
  readonly #endBytes: number;
  readonly #readings: Reading[] = [];
  #offsetBytes: number;

  constructor(backend: Backend, buffers: BufferSet, { offsetBytes, lengthBytes }: ByteRange) {
    this.#backend = backend;
    this.#buffers = buffers;
    this.#offsetBytes = offsetBytes;
    this.#endBytes = offsetBytes + lengthBytes;
    this.#readOn();
  }

  /** The next piece of the range, of at least one byte. @throws StorageError */
  async next(): Promise<Piece> {
    if (this.#readings.length === 0) await this.#begin();
    const reading = this.#readings.shift();
    if (reading === undefined) throw new Error('The whole range was read already');
    return reading.piece;
  }

  /** The piece in `buffer` has been used up: reads what comes next, if there is a buffer for it. */
  recycle(buffer: Uint8Array): void {
    this.#buffers.put(buffer);
    this.#readOn();
  }

  /** Forgets what was read and `isWanted` by somebody else more: it is read again later. */
  drop(isWanted: (buffer: Uint8Array) => boolean): void {
    for (let last = this.#readings.at(-1); last?.isDone === true; last = this.#readings.at(-1)) {
      if (!isWanted(last.buffer)) return;
      this.#readings.pop();
      this.#offsetBytes = last.offsetBytes;
      this.#buffers.giveBack(last.buffer);
    }
  }

  /** No read is under way any more. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#readings.map(({ piece }) => piece));
  }

  #readOn(): void {
    while (this.#offsetBytes < this.#endBytes) {
      const buffer = this.#buffers.tryTake();
      if (buffer === undefined) return;
      this.#read(buffer);
    }
  }

  /** All buffers were given to others meanwhile. */
  async #begin(): Promise<void> {
    if (this.#offsetBytes >= this.#endBytes) return;
    this.#read(await this.#buffers.take());
  }

  #read(buffer: Uint8Array): void {
    const offsetBytes = this.#offsetBytes;
    const lengthBytes = this.#buffers.stepAt(buffer, offsetBytes, this.#endBytes);
    this.#offsetBytes += lengthBytes;
    const reading: Reading = {
      offsetBytes,
      buffer,
      isDone: false,
      piece: this.#piece(buffer, { offsetBytes, lengthBytes }, () => {
        reading.isDone = true;
      }),
    };
    // Who takes the piece hears of a failure; until then it must not count as unhandled.
    reading.piece.catch(() => undefined);
    this.#readings.push(reading);
  }

  async #piece(buffer: Uint8Array, range: ByteRange, done: () => void): Promise<Piece> {
    const data = await this.#backend.read(buffer, range);
    done();
    // The size was checked when the request began, so somebody has cut the image meanwhile.
    if (data.length !== range.lengthBytes) throw new StorageError('The image ended before its size');
    return { buffer, data };
  }
}
