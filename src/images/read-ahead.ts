import { StorageError } from '../errors.js';
import type { ByteRange } from '../units.js';
import type { Backend } from './backends/backend.js';
import type { BufferSet } from './buffer-set.js';

export interface Piece {
  readonly buffer: Uint8Array;
  readonly data: Uint8Array;
}

/** Reads a range of an image in order, always one read under way for each buffer that nobody is sending from. */
export class ReadAhead {
  readonly #backend: Backend;
  readonly #buffers: BufferSet;
  readonly #endBytes: number;
  readonly #pieces: Promise<Piece>[] = [];
  #offsetBytes: number;

  constructor(backend: Backend, buffers: BufferSet, { offsetBytes, lengthBytes }: ByteRange) {
    this.#backend = backend;
    this.#buffers = buffers;
    this.#offsetBytes = offsetBytes;
    this.#endBytes = offsetBytes + lengthBytes;
    for (const buffer of buffers.all) this.recycle(buffer);
  }

  /** The next piece of the range, of at least one byte. @throws StorageError */
  async next(): Promise<Piece> {
    const piece = this.#pieces.shift();
    if (piece === undefined) throw new Error('The whole range was read already');
    return piece;
  }

  /** The piece in `buffer` has been used up: reads what comes next into it. */
  recycle(buffer: Uint8Array): void {
    const offsetBytes = this.#offsetBytes;
    if (offsetBytes >= this.#endBytes) return;
    const lengthBytes = this.#buffers.stepAt(offsetBytes, this.#endBytes);
    this.#offsetBytes += lengthBytes;
    const piece = this.#read(buffer, { offsetBytes, lengthBytes });
    // Who takes the piece hears of a failure; until then it must not count as unhandled.
    piece.catch(() => undefined);
    this.#pieces.push(piece);
  }

  /** No read is under way any more. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#pieces);
  }

  async #read(buffer: Uint8Array, range: ByteRange): Promise<Piece> {
    const data = await this.#backend.read(buffer, range);
    // The size was checked when the request began, so somebody has cut the image meanwhile.
    if (data.length !== range.lengthBytes) throw new StorageError('The image ended before its size');
    return { buffer, data };
  }
}
