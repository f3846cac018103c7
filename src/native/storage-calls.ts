import { callAsync, type NativeFunction } from './async-call.js';
import { lastErrnoName, libc } from './libc.js';

/**
 * The calls on files and block devices that Node lacks. All but one run in libuv's thread pool like `fs`
 * does, because on a hung storage each of them can take forever. Offsets and lengths are in bytes; failures
 * are `Error`s whose `code` is the name of the errno.
 */

/** `fallocate(2)`: changes the allocation of a part of the file; `mode` is built from the constants below. */
export async function fallocate(
  fd: number,
  mode: number,
  offsetBytes: number,
  lengthBytes: number,
): Promise<void> {
  await callAsync('fallocate', functions.fallocate, [fd, mode, offsetBytes, lengthBytes]);
}

/** `lseek(2)`: only to find data and holes, and the size of a block device. @returns the new position */
export async function lseek(fd: number, offsetBytes: number, whence: number): Promise<number> {
  return await callAsync('lseek', functions.lseek, [fd, offsetBytes, whence]);
}

/**
 * The same at once, for threads that may wait: an answer takes a microsecond, in the pool seventy times that.
 * @returns the new position, or the name of the errno
 */
export function lseekWaiting(
  fd: number,
  offsetBytes: number,
  whence: number,
): number | { readonly errno: string } {
  for (;;) {
    const position = functions.lseek(fd, offsetBytes, whence);
    if (position >= 0) return position;
    const errno = lastErrnoName();
    if (errno !== 'EINTR') return { errno };
  }
}

/** `ioctl(BLKZEROOUT)`: makes a part of a block device read as zeroes, on the device if it can. */
export async function blkZeroOut(fd: number, offsetBytes: number, lengthBytes: number): Promise<void> {
  await callAsync('ioctl', functions.ioctl, [fd, blkZeroOutRequest, [offsetBytes, lengthBytes]]);
}

export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;
export const FALLOC_FL_ZERO_RANGE = 0x10;

export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** `_IO(0x12, 127)` of linux/fs.h. */
const blkZeroOutRequest = 0x127f;

const functions = {
  fallocate: libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
  lseek: libc.func('int64_t lseek(int fd, int64_t offset, int whence)') as NativeFunction &
    ((fd: number, offset: number, whence: number) => number),
  // Variadic in C, which koffi can't call asynchronously; on Linux these three are passed alike either way.
  ioctl: libc.func('int ioctl(int fd, unsigned long request, uint64_t *range)'),
};
