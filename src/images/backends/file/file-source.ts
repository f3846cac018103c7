import { type BigIntStats, constants } from 'node:fs';

import { StorageError } from '../../../errors.js';
import { FairShares } from '../../fair-shares.js';
import type { Backend, ImageRequest, ImageSource } from '../backend.js';
import { ImageLocks } from '../image-locks.js';
import { detectBlockSize } from './block-size.js';
import { BounceBuffers } from './bounce-buffers.js';
import { closeFile, openFile, statFile, statPath } from './file-calls.js';
import { FileBackend } from './file-backend.js';
import { FileTurns } from './file-turns.js';
import { filePath } from './file-url.js';
import { errorCode, storageFailure } from './storage-failure.js';

/** Tells an operator something; the message may name paths. */
export type Warn = (message: string) => void;

export interface FileSourceOptions {
  readonly warn: Warn;
  /** How many threads there are for file I/O. */
  readonly threadCount: number;
}

/**
 * Opens `file:` urls: regular files and block devices on this host. There is one per process, because backends of the
 * same image find each other through it.
 */
export class FileSource implements ImageSource {
  readonly schemes = ['file'];
  readonly #warn: Warn;
  readonly #locks = new ImageLocks();
  readonly #bounce = new BounceBuffers();
  /** The devices (`st_dev`) whose file systems were warned about. */
  readonly #warned = new Set<bigint>();

  readonly #threads: FairShares;

  constructor({ warn, threadCount }: FileSourceOptions) {
    this.#warn = warn;
    this.#threads = new FairShares(threadCount);
  }

  /** @param signal gives up while opening waits for a thread */
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
      throw storageFailure('Opening the image failed', error);
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  async #open(path: string, writable: boolean, turns: FileTurns): Promise<Backend> {
    // Opening alone can do harm: it starts a watchdog, rewinds a tape, wakes the other side of a FIFO. So look first.
    assertImageType(await statPath(path));
    const { fd, blockSizeBytes } = await this.#openDirect(
      path,
      writable ? constants.O_RDWR : constants.O_RDONLY,
    );
    try {
      // And look again, as the name may mean something else by now.
      const stats = await statFile(fd);
      assertImageType(stats);
      if (blockSizeBytes === 1) {
        this.#warnOfBuffering(path, stats.dev);
      }
      const key = imageKey(stats);
      return new FileBackend({
        fd,
        isBlockDevice: stats.isBlockDevice(),
        blockSizeBytes,
        lock: this.#locks.enter(key),
        bounce: this.#bounce,
        turns,
        onClose: () => {
          this.#locks.leave(key);
        },
      });
    } catch (error: unknown) {
      await closeFile(fd);
      throw error;
    }
  }

  async #openDirect(path: string, access: number): Promise<{ fd: number; blockSizeBytes: number }> {
    // Should it be a FIFO by now, O_NONBLOCK keeps the open from hanging; on files and block devices it does nothing.
    const flags = access | constants.O_NONBLOCK;
    const fd = await openUnlessInvalid(path, flags | constants.O_DIRECT);
    if (fd !== undefined) {
      const blockSizeBytes = await detectBlockSize(fd);
      if (blockSizeBytes !== undefined) {
        return { fd, blockSizeBytes };
      }
      await closeFile(fd);
    }
    return { fd: await openFile(path, flags), blockSizeBytes: 1 };
  }

  #warnOfBuffering(path: string, device: bigint): void {
    if (!this.#warned.has(device)) {
      this.#warned.add(device);
      this.#warn(`The file system of ${path} refuses direct I/O, its images go through the page cache`);
    }
  }
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
    throw new StorageError('The image is neither a regular file nor a block device');
  }
}
