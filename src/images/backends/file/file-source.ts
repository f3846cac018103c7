import { type BigIntStats, constants } from 'node:fs';

import { NotAllowedError, StorageError } from '../../../base/errors.js';
import { FairShares } from '../../buffers/fair-shares.js';
import type { Backend, ImageRequest, ImageSource } from '../backend.js';
import { ImageLocks } from '../image-locks.js';
import { detectBlockSize } from './block-size.js';
import { BounceBuffers } from './bounce-buffers.js';
import { closeFile, openFile } from './file-calls.js';
import { FileBackend } from './file-backend.js';
import { FileTurns } from './file-turns.js';
import { filePath } from './file-url.js';
import { findImage } from './image-place.js';
import { namingPath, openingFailure } from './storage-failure.js';
import { errorCode } from '../../../base/error-details.js';
import { WalkThreads } from './walk-threads.js';

/** Tells an operator something; the message may name paths. */
export type Warn = (message: string) => void;

export interface FileSourceOptions {
  readonly warn: Warn;
  /** How many threads there are for file I/O. */
  readonly threadCount: number;
  /** `[backend_file] allowed_roots`: directories that images must lie below; none for no such bound. */
  readonly allowedRoots: readonly string[];
}

/**
 * Opens `file:` urls: regular files and block devices on this host. There is one per process, because
 * backends of the same image find each other through it.
 */
export class FileSource implements ImageSource {
  readonly schemes = ['file'];
  readonly #warn: Warn;
  readonly #locks = new ImageLocks();
  readonly #bounce = new BounceBuffers();
  readonly #walkThreads = new WalkThreads();
  /** The devices (`st_dev`) whose file systems were warned about. */
  readonly #warned = new Set<bigint>();

  readonly #threads: FairShares;
  readonly #allowedRoots: readonly string[];

  constructor({ warn, threadCount, allowedRoots }: FileSourceOptions) {
    this.#warn = warn;
    this.#allowedRoots = allowedRoots;
    this.#threads = new FairShares(threadCount);
  }

  /**
   * @param signal gives up while opening waits for a thread
   * @throws NotAllowedError when the url names a place where no image may be (docs/protocol.md, "Image
   *   urls"); StorageError when the image cannot be opened
   */
  async open(request: ImageRequest, signal?: AbortSignal): Promise<Backend> {
    const path = filePath(request.url);
    const turns = new FileTurns(this.#threads, { imageUrl: request.url });
    const giveUp = (): void => {
      turns.abandon();
    };
    signal?.addEventListener('abort', giveUp);
    try {
      return await turns.run(() => this.#open(path, request.writable, turns));
    } catch (error: unknown) {
      if (error instanceof NotAllowedError) throw error;
      throw openingFailure(namingPath(error, path));
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  async #open(path: string, writable: boolean, turns: FileTurns): Promise<Backend> {
    // Opening alone can do harm: it starts a watchdog, rewinds a tape, wakes the other side of a FIFO. So it
    // is held and looked at first, and what is opened is what was looked at, whatever the path means by then.
    const place = await findImage(path, this.#allowedRoots);
    const { stats } = place;
    try {
      assertImageType(stats);
      const { fd, blockSizeBytes } = await openDirect(
        place.path,
        writable ? constants.O_RDWR : constants.O_RDONLY,
      );
      if (blockSizeBytes === 1) this.#warnOfBuffering(path, stats.dev);
      const key = imageKey(stats);
      return new FileBackend({
        identity: key,
        fd,
        isBlockDevice: stats.isBlockDevice(),
        blockSizeBytes,
        lock: this.#locks.enter(key),
        bounce: this.#bounce,
        turns,
        walkThreads: this.#walkThreads,
        onClose: () => {
          this.#locks.leave(key);
        },
      });
    } finally {
      await place.release();
    }
  }

  #warnOfBuffering(path: string, device: bigint): void {
    if (!this.#warned.has(device)) {
      this.#warned.add(device);
      this.#warn(`The file system of ${path} refuses direct I/O, its images go through the page cache`);
    }
  }
}

async function openDirect(path: string, access: number): Promise<{ fd: number; blockSizeBytes: number }> {
  const fd = await openUnlessInvalid(path, access | constants.O_DIRECT);
  if (fd !== undefined) {
    const blockSizeBytes = await detectBlockSize(fd);
    if (blockSizeBytes !== undefined) {
      return { fd, blockSizeBytes };
    }
    await closeFile(fd);
  }
  return { fd: await openFile(path, access), blockSizeBytes: 1 };
}

/** @returns undefined when the file system refuses the flags, as those without `O_DIRECT` do */
async function openUnlessInvalid(path: string, flags: number): Promise<number | undefined> {
  try {
    return await openFile(path, flags);
  } catch (error: unknown) {
    if (errorCode(error) === 'EINVAL') {
      return undefined;
    }
    throw error;
  }
}

/** The same for every name of an inode, and for every node of a block device. */
function imageKey(stats: BigIntStats): string {
  return stats.isBlockDevice() ? `device ${stats.rdev}` : `inode ${stats.dev}:${stats.ino}`;
}

function assertImageType(stats: BigIntStats): void {
  if (!stats.isFile() && !stats.isBlockDevice()) {
    throw new StorageError('The image is neither a regular file nor a block device', {
      trouble: 'not_an_image',
    });
  }
}
