import { MiB } from '../../../base/units.js';
import { AlignedMemory, pageBytes } from '../../buffers/aligned-memory.js';
import type { BlockIo } from './block-io.js';
import { setFileSize } from './file-calls.js';
import {
  blkZeroOut,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  fallocate,
} from '../../../native/storage-calls.js';
import { errorCode } from '../../../base/error-details.js';

type Way = 'punch' | 'zeroRange' | 'punchAndAllocate' | 'allocate' | 'blkZeroOut';

/** What makes an existing area zero, best first. When none works, zeroes are written. */
const waysInPlace: Readonly<
  Record<'file' | 'blockDevice', Readonly<Record<'sparse' | 'allocated', readonly Way[]>>>
> = {
  file: { sparse: ['punch', 'zeroRange'], allocated: ['zeroRange', 'punchAndAllocate'] },
  blockDevice: { sparse: ['punch', 'zeroRange', 'blkZeroOut'], allocated: ['zeroRange', 'blkZeroOut'] },
};

/** EINVAL as well: older kernels and some network file systems say that to a mode which they don't know. */
const unsupportedCodes = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENODEV', 'EINVAL', 'ENOSYS', 'ENOTTY']);

/**
 * Zeroes to write from: page aligned, a page more than a write so that any start in a
 * page is at hand. Never changed.
 */
const zeroes = new AlignedMemory(MiB + pageBytes).allocate(MiB + pageBytes);

/**
 * Makes parts of one opened file read as zeroes, remembering what its storage does not support. It takes no
 * locks and leaves the exact size to its caller, like `BlockIo`, see `file-backend.ts`.
 */
export class ZeroWriter {
  readonly #unsupported = new Set<Way>();
  readonly #ways: (typeof waysInPlace)['file'];

  constructor(
    private readonly fd: number,
    isBlockDevice: boolean,
    private readonly io: BlockIo,
  ) {
    this.#ways = waysInPlace[isBlockDevice ? 'blockDevice' : 'file'];
  }

  /**
   * Zeroes what exists from `startBytes` to `endBytes`.
   *
   * Only whole pages are left to the kernel; the edges are written like data, through direct I/O. Given an
   * unaligned range, file systems zero its edges in the page cache, which direct I/O is there to avoid.
   * @param atEndOfFile the range reaches the end of a regular file, so that its last
   *   page has nobody else's bytes
   */
  async zeroExisting(
    startBytes: number,
    endBytes: number,
    sparse: boolean,
    atEndOfFile: boolean,
  ): Promise<void> {
    const middleStartBytes = Math.ceil(startBytes / pageBytes) * pageBytes;
    const roundEnd = atEndOfFile ? Math.ceil : Math.floor;
    const middleEndBytes = roundEnd(endBytes / pageBytes) * pageBytes;
    const lengthBytes = middleEndBytes - middleStartBytes;
    const ways = this.#ways[sparse ? 'sparse' : 'allocated'];
    if (lengthBytes > 0 && (await this.#firstSupported(ways, middleStartBytes, lengthBytes))) {
      await this.#writeZeroes(startBytes, middleStartBytes);
      await this.#writeZeroes(middleEndBytes, endBytes);
    } else {
      await this.#writeZeroes(startBytes, endBytes);
    }
  }

  /** Extends a regular file from its end, `startBytes`, or a later position, to exactly `endBytes`. */
  async extend(startBytes: number, endBytes: number, sparse: boolean): Promise<void> {
    if (sparse) {
      await setFileSize(this.fd, endBytes);
    } else if (!(await this.#firstSupported(['allocate'], startBytes, endBytes - startBytes))) {
      await this.#writeZeroes(startBytes, endBytes);
    }
  }

  /** @returns false when no way of the list is supported here */
  async #firstSupported(ways: readonly Way[], offsetBytes: number, lengthBytes: number): Promise<boolean> {
    for (const way of ways) {
      if (this.#unsupported.has(way)) {
        continue;
      }
      try {
        await this.#zeroBy(way, offsetBytes, lengthBytes);
        return true;
      } catch (error: unknown) {
        if (!unsupportedCodes.has(errorCode(error) ?? '')) {
          throw error;
        }
        this.#unsupported.add(way);
      }
    }
    return false;
  }

  async #zeroBy(way: Way, offsetBytes: number, lengthBytes: number): Promise<void> {
    switch (way) {
      case 'punch':
        await fallocate(this.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes);
        break;
      case 'zeroRange':
        await fallocate(this.fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes);
        break;
      case 'punchAndAllocate':
        await fallocate(this.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes);
        await fallocate(this.fd, FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes);
        break;
      case 'allocate':
        await fallocate(this.fd, 0, offsetBytes, lengthBytes);
        break;
      case 'blkZeroOut':
        await blkZeroOut(this.fd, offsetBytes, lengthBytes);
        break;
    }
  }

  async #writeZeroes(startBytes: number, endBytes: number): Promise<void> {
    for (let offsetBytes = startBytes; offsetBytes < endBytes;) {
      // Beginning at the same place in the page keeps the memory congruent with the file.
      const skipBytes = offsetBytes % pageBytes;
      const lengthBytes = Math.min(endBytes - offsetBytes, zeroes.length - pageBytes - skipBytes);
      await this.io.write(zeroes.subarray(skipBytes, skipBytes + lengthBytes), offsetBytes);
      offsetBytes += lengthBytes;
    }
  }
}
