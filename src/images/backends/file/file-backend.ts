import { StorageError } from '../../../base/errors.js';
import type { ByteRange } from '../../../base/units.js';
import { pageBytes } from '../../buffers/aligned-memory.js';
import type { Backend, DirectReads, Extent, ExtentContext, StorageRoom } from '../backend.js';
import type { RangeLock, Release } from '../range-lock.js';
import { BlockIo } from './block-io.js';
import type { BounceBuffers } from './bounce-buffers.js';
import { type ExtentLooks, fileExtents } from './extents.js';
import type { FileTurns } from './file-turns.js';
import {
  allocatedFileBytes,
  closeFile,
  fileSizeBytes,
  freeSpaceBytes,
  setFileSize,
  syncData,
  syncFile,
} from './file-calls.js';
import { lseek, SEEK_END } from '../../../native/storage-calls.js';
import { storageFailure } from './storage-failure.js';
import type { WalkThreads } from './walk-threads.js';
import { ZeroWriter } from './zero.js';

/** A file that is open and was looked at; `FileSource` makes these. */
export interface OpenedFile {
  /** The same for every name of the image. */
  readonly identity: string;
  readonly fd: number;
  readonly isBlockDevice: boolean;
  /** What offsets, lengths and memory are to be multiples of; 1 for a file opened without `O_DIRECT`. */
  readonly blockSizeBytes: number;
  /** The same object for everyone in this process who has this image open. */
  readonly lock: RangeLock;
  readonly bounce: BounceBuffers;
  /** Each call waits for its turn, before it waits for anything else. */
  readonly turns: FileTurns;
  readonly walkThreads: WalkThreads;
  /** Called once, after the file was closed. */
  readonly onClose: () => void;
}

/** From one position to the end of everything, see `FileBackend.#holding`. */
const toTheEnd = Infinity;

const whole: ByteRange = { offsetBytes: 0, lengthBytes: toTheEnd };

/**
 * A regular file or block device.
 *
 * Concurrent writes. The kernel takes only whole blocks, so a write with an unaligned edge reads that
 * block, changes it and writes it back. Between these two nobody else may write the block, by whatever
 * connection of this process: writes with an edge, and all zeroing, hold their range exclusively; aligned
 * writes hold theirs together with others.
 *
 * The exact size. Two things can set a size that is too small for somebody else's data: cutting off the
 * rest of a last block that ran past the end of the file, and extending a file to a given size. The rule:
 * only an operation that holds everything from its first block *to infinity* does either, and only with a
 * size computed from what it read under that lock. Nobody else is then writing past its first block, so the
 * size can only grow by others up to there, which is less than the size it sets. An operation that finds
 * its last block inside the file needs no such lock: sizes never shrink, except back to one that ends after
 * the first block of the holder, which the other's range does not reach.
 */
export class FileBackend implements Backend {
  readonly kind = 'file';
  readonly readersMax = 8;
  readonly writersMax: number;
  readonly inFlightMax = 4;
  readonly growable: boolean;
  readonly canDirtyExtents = false;
  readonly blockSizeBytes: number;

  readonly identity: string;
  readonly place: string;
  /** What the kernel took it has, until a flush fails. */
  readonly incarnation = 0;

  readonly #file: OpenedFile;
  readonly #io: BlockIo;
  readonly #zeroWriter: ZeroWriter;
  readonly #looks: ExtentLooks;
  readonly #calls = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;
  #flushedSizeBytes: number | undefined;
  /** The last answer of `sizeBytes`; 0 when the file was found to be shorter. */
  #seenSizeBytes = 0;

  constructor(file: OpenedFile) {
    this.#file = file;
    this.identity = file.identity;
    this.place = file.identity;
    this.#io = new BlockIo(file.fd, file.blockSizeBytes, file.bounce);
    this.#zeroWriter = new ZeroWriter(file.fd, file.isBlockDevice, this.#io);
    const { fd, walkThreads } = file;
    this.#looks = {
      seek: (...position) => this.#takeTurn(() => lseek(fd, ...position)),
      walk: (part) => this.#track(() => walkThreads.walk(fd, part)),
      isFragmented: false,
    };
    this.growable = !file.isBlockDevice;
    this.blockSizeBytes = file.blockSizeBytes;
    this.writersMax = file.isBlockDevice ? 8 : 1;
  }

  get directReads(): DirectReads | undefined {
    const { fd, blockSizeBytes } = this.#file;
    return this.#seenSizeBytes === 0 ? undefined : { fd, blockSizeBytes, sizeBytes: this.#seenSizeBytes };
  }

  async sizeBytes(enoughBytes = Infinity): Promise<number> {
    if (enoughBytes <= this.#seenSizeBytes) return this.#seenSizeBytes;
    this.#seenSizeBytes = await this.#run('Reading the size of the image failed', async () => {
      // Waits for whoever is about to cut off the rest of a last block: until then the
      // file looks larger than it is.
      return this.#file.lock.run(Number.MAX_SAFE_INTEGER, toTheEnd, false, () => this.#currentSizeBytes());
    });
    return this.#seenSizeBytes;
  }

  room(): Promise<StorageRoom> {
    return this.#run('Reading the room of the image failed', async () => {
      // A device has all of its room; what lies below a thin one it does not tell.
      if (this.#file.isBlockDevice) return { allocatedBytes: await this.#currentSizeBytes() };
      const [allocatedBytes, freeBytes] = await Promise.all([
        allocatedFileBytes(this.#file.fd),
        freeSpaceBytes(this.#file.fd),
      ]);
      return { allocatedBytes, freeBytes };
    });
  }

  read(buffer: Uint8Array, range: ByteRange): Promise<Uint8Array> {
    return this.#run('Reading the image failed', async () => {
      const data = await this.#io.read(buffer, range);
      if (data.length < range.lengthBytes) this.#seenSizeBytes = 0;
      return data;
    });
  }

  write(source: Uint8Array, offsetBytes: number): Promise<void> {
    const startBytes = this.#io.floor(offsetBytes);
    const endBytes = offsetBytes + source.length;
    const hasEdge = startBytes !== offsetBytes || this.#io.ceil(endBytes) !== endBytes;
    return this.#run('Writing the image failed', async () => {
      if (!hasEdge) {
        await this.#file.lock.run(startBytes, endBytes, false, () => this.#io.write(source, offsetBytes));
        return;
      }
      await this.#holding(startBytes, endBytes, this.#io.ceil(endBytes), () =>
        this.#io.write(source, offsetBytes),
      );
    });
  }

  zero(range: ByteRange, options: { readonly sparse: boolean }): Promise<void> {
    const startBytes = range.offsetBytes;
    const endBytes = startBytes + range.lengthBytes;
    const { sparse } = options;
    return this.#run('Zeroing the image failed', async () => {
      if (startBytes === endBytes) {
        return;
      }
      const pageStartBytes = startBytes - (startBytes % pageBytes);
      const pageEndBytes = Math.ceil(endBytes / pageBytes) * pageBytes;
      await this.#holding(pageStartBytes, endBytes, pageEndBytes, async (sizeBytes) => {
        const existingEndBytes = this.growable ? Math.min(endBytes, sizeBytes) : endBytes;
        if (startBytes < existingEndBytes) {
          const atEndOfFile = this.growable && existingEndBytes === sizeBytes;
          await this.#zeroWriter.zeroExisting(startBytes, existingEndBytes, sparse, atEndOfFile);
        }
        if (existingEndBytes < endBytes) {
          await this.#zeroWriter.extend(Math.max(startBytes, existingEndBytes), endBytes, sparse);
        }
      });
    });
  }

  flush(): Promise<void> {
    return this.#run('Flushing the image failed', async () => {
      const sizeBytes = await this.#currentSizeBytes();
      await (sizeBytes === this.#flushedSizeBytes ? syncData(this.#file.fd) : syncFile(this.#file.fd));
      this.#flushedSizeBytes = sizeBytes;
    });
  }

  async *extents(_context?: ExtentContext, range = whole): AsyncGenerator<readonly Extent[]> {
    const startBytes = range.offsetBytes;
    const endBytes = Math.min(await this.sizeBytes(), startBytes + range.lengthBytes);
    if (startBytes >= endBytes) return;
    if (this.#file.isBlockDevice) {
      yield [{ start: startBytes, length: endBytes - startBytes, zero: false, hole: false }];
      return;
    }
    yield* fileExtents(this.#looks, { startBytes, endBytes });
  }

  blockDigests(): undefined {
    return undefined;
  }

  abandon(): void {
    // Only what waits for a thread. One in the kernel goes on to write to its buffer until the storage
    // answers.
    this.#file.turns.abandon();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#calls);
    try {
      await closeFile(this.#file.fd);
    } catch (error: unknown) {
      throw storageFailure('Closing the image failed', error);
    } finally {
      this.#file.onClose();
    }
  }

  async #run<T>(failure: string, body: () => Promise<T>): Promise<T> {
    try {
      return await this.#takeTurn(body);
    } catch (error: unknown) {
      throw storageFailure(failure, error);
    }
  }

  async #takeTurn<T>(body: () => Promise<T>): Promise<T> {
    return this.#track(() => this.#file.turns.run(body));
  }

  /**
   * Runs a call so that `close` waits for it.
   * @throws StorageError when the image was closed
   */
  #track<T extends Promise<unknown> | undefined>(body: () => T): T {
    if (this.#closed !== undefined) throw new StorageError('The image was closed');
    const call = body();
    if (call === undefined) return call;
    const forget = () => this.#calls.delete(call);
    this.#calls.add(call);
    call.then(forget, forget);
    return call;
  }

  /**
   * Runs `write`, which touches whole blocks from `startBytes` to `blocksEndBytes` and means to write up to
   * `endBytes`, alone in its range; alone in all that follows if it may change the size. Afterwards, even
   * if it failed, the file is not larger than before or than `endBytes`.
   */
  async #holding(
    startBytes: number,
    endBytes: number,
    blocksEndBytes: number,
    write: (sizeBytes: number) => Promise<void>,
  ): Promise<void> {
    const { release, sizeBytes } = await this.#hold(startBytes, blocksEndBytes);
    try {
      await write(sizeBytes);
    } finally {
      try {
        await this.#cutTo(Math.max(sizeBytes, endBytes), blocksEndBytes);
      } finally {
        release();
      }
    }
  }

  async #hold(startBytes: number, blocksEndBytes: number): Promise<{ release: Release; sizeBytes: number }> {
    for (let lockEndBytes = blocksEndBytes; ; lockEndBytes = toTheEnd) {
      const release = await this.#file.lock.acquire(startBytes, lockEndBytes, true);
      try {
        const sizeBytes = await this.#currentSizeBytes();
        if (!this.growable || sizeBytes >= blocksEndBytes || lockEndBytes === toTheEnd) {
          return { release, sizeBytes };
        }
      } catch (error: unknown) {
        release();
        throw error;
      }
      release();
    }
  }

  async #cutTo(sizeBytes: number, blocksEndBytes: number): Promise<void> {
    // A write that ended inside the file, or with its last block, cannot have made it too large.
    if (this.growable && sizeBytes < blocksEndBytes && (await fileSizeBytes(this.#file.fd)) > sizeBytes) {
      await setFileSize(this.#file.fd, sizeBytes);
    }
  }

  #currentSizeBytes(): Promise<number> {
    return this.#file.isBlockDevice ? lseek(this.#file.fd, 0, SEEK_END) : fileSizeBytes(this.#file.fd);
  }
}
