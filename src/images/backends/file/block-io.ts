import assert from 'node:assert/strict';

import type { ByteRange } from '../../../base/units.js';
import { isCongruent, pageBytes } from '../../buffers/aligned-memory.js';
import { bounceBytes, type BounceBuffers } from './bounce-buffers.js';
import { readOnce, type Transfer, transferFully, writeOnce } from './file-calls.js';

/**
 * Reads and writes any range of a file that takes only whole, aligned blocks (`O_DIRECT`).
 * With a block size of 1 it is plain positional I/O. It takes no locks: who writes holds
 * the range, see `file-backend.ts`.
 */
export class BlockIo {
  readonly #readOnce: Transfer;
  readonly #writeOnce: Transfer;

  constructor(
    fd: number,
    readonly blockSizeBytes: number,
    private readonly bounce: BounceBuffers,
  ) {
    assert.ok(Number.isInteger(Math.log2(blockSizeBytes)) && blockSizeBytes <= pageBytes);
    this.#readOnce = readOnce(fd);
    this.#writeOnce = writeOnce(fd);
  }

  floor(offsetBytes: number): number {
    return offsetBytes - (offsetBytes % this.blockSizeBytes);
  }

  ceil(offsetBytes: number): number {
    return this.floor(offsetBytes + this.blockSizeBytes - 1);
  }

  /**
   * Reads the whole blocks around `range` straight into `buffer`.
   * @param buffer page-aligned and long enough for those blocks, as `Backend.read` says
   * @returns the part of `buffer` with the bytes of `range`, shorter where the file ends
   */
  async read(buffer: Uint8Array, range: ByteRange): Promise<Uint8Array> {
    const { offsetBytes, lengthBytes } = range;
    const startBytes = this.floor(offsetBytes);
    const blocks = buffer.subarray(0, this.ceil(offsetBytes + lengthBytes) - startBytes);
    assert.ok(isCongruent(blocks, startBytes, this.blockSizeBytes), 'the buffer to read into is not aligned');
    const readBytes = await transferFully(this.#readBlocks, blocks, startBytes);
    const skipBytes = offsetBytes - startBytes;
    return blocks.subarray(skipBytes, Math.max(skipBytes, Math.min(readBytes, skipBytes + lengthBytes)));
  }

  /**
   * Writes all of `source`. Bytes of an edge block that are not in `source` keep their values.
   * A last block that runs past the end of the file makes the file end with that block: the
   * caller restores the exact size.
   */
  async write(source: Uint8Array, offsetBytes: number): Promise<void> {
    const endBytes = offsetBytes + source.length;
    const middleStartBytes = Math.min(this.ceil(offsetBytes), endBytes);
    const middleEndBytes = Math.max(this.floor(endBytes), middleStartBytes);
    const part = (fromBytes: number, toBytes: number) =>
      source.subarray(fromBytes - offsetBytes, toBytes - offsetBytes);
    if (offsetBytes < middleStartBytes) {
      await this.#writeEdge(part(offsetBytes, middleStartBytes), offsetBytes);
    }
    if (middleStartBytes < middleEndBytes) {
      await this.#writeBlocks(part(middleStartBytes, middleEndBytes), middleStartBytes);
    }
    if (middleEndBytes < endBytes) {
      await this.#writeEdge(part(middleEndBytes, endBytes), middleEndBytes);
    }
  }

  /**
   * A short direct read that is no whole number of blocks has met the end of the file;
   * what follows is never aligned.
   */
  readonly #readBlocks: Transfer = async (view, positionBytes) =>
    positionBytes % this.blockSizeBytes === 0 ? await this.#readOnce(view, positionBytes) : 0;

  async #writeBlocks(source: Uint8Array, offsetBytes: number): Promise<void> {
    if (isCongruent(source, offsetBytes, this.blockSizeBytes)) {
      await this.#writeAll(source, offsetBytes);
      return;
    }
    await this.bounce.with(async (buffer) => {
      for (let doneBytes = 0; doneBytes < source.length; doneBytes += bounceBytes) {
        const piece = source.subarray(doneBytes, doneBytes + bounceBytes);
        buffer.set(piece);
        await this.#writeAll(buffer.subarray(0, piece.length), offsetBytes + doneBytes);
      }
    });
  }

  /** Read-modify-write of the one block that `piece` lies in. */
  async #writeEdge(piece: Uint8Array, offsetBytes: number): Promise<void> {
    const startBytes = this.floor(offsetBytes);
    await this.bounce.with(async (buffer) => {
      const block = buffer.subarray(0, this.blockSizeBytes);
      const readBytes = await transferFully(this.#readBlocks, block, startBytes);
      block.fill(0, readBytes);
      block.set(piece, offsetBytes - startBytes);
      await this.#writeAll(block, startBytes);
    });
  }

  async #writeAll(source: Uint8Array, offsetBytes: number): Promise<void> {
    const writtenBytes = await transferFully(this.#writeOnce, source, offsetBytes);
    if (writtenBytes < source.length) {
      throw new Error(`the storage took ${writtenBytes} of ${source.length} bytes`);
    }
  }
}
