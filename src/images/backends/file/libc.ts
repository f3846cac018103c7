import koffi from 'koffi';

/**
 * The calls of libc that Node lacks. All run in libuv's thread pool like `fs` does, because on a hung
 * storage each of them can take forever. Offsets and lengths are in bytes; failures are `Error`s whose
 * `code` is the name of the errno.
 */

/** `fallocate(2)`: changes the allocation of a part of the file; `mode` is built from the constants below. */
export async function fallocate(
  fd: number,
  mode: number,
  offsetBytes: number,
  lengthBytes: number,
): Promise<void> {
  await call('fallocate', libc.fallocate, [fd, mode, offsetBytes, lengthBytes]);
}

/** `lseek(2)`: only to find data and holes, and the size of a block device. @returns the new position */
export async function lseek(fd: number, offsetBytes: number, whence: number): Promise<number> {
  return await call('lseek', libc.lseek, [fd, offsetBytes, whence]);
}

/** `ioctl(BLKZEROOUT)`: makes a part of a block device read as zeroes, on the device if it can. */
export async function blkZeroOut(fd: number, offsetBytes: number, lengthBytes: number): Promise<void> {
  await call('ioctl', libc.ioctl, [fd, blkZeroOutRequest, [offsetBytes, lengthBytes]]);
}

export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;
export const FALLOC_FL_ZERO_RANGE = 0x10;

export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** `_IO(0x12, 127)` of linux/fs.h. */
const blkZeroOutRequest = 0x127f;

/** What `koffi` makes of a declaration; the last argument is called with an error or with the result. */
interface NativeFunction {
  async(...args: unknown[]): void;
}

const library = koffi.load(null);

const libc = {
  fallocate: library.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
  lseek: library.func('int64_t lseek(int fd, int64_t offset, int whence)'),
  // Variadic in C, which koffi can't call asynchronously; on Linux these three are passed alike either way.
  ioctl: library.func('int ioctl(int fd, unsigned long request, uint64_t *range)'),
};

const errnoNames = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));

/**
 * koffi refuses more than 256 calls at once by an exception; those beyond this number
 * wait here for their turn.
 */
const runningMax = 128;
let running = 0;
const queue: (() => void)[] = [];

async function call(name: string, native: NativeFunction, args: unknown[]): Promise<number> {
  for (;;) {
    const { result, errno } = await callOnce(native, args);
    if (result >= 0) {
      return result;
    }
    const code = errnoName(errno);
    if (code !== 'EINTR') {
      throw Object.assign(new Error(`${code}: ${name}`), { code, errno: -errno, syscall: name });
    }
  }
}

async function callOnce(native: NativeFunction, args: unknown[]): Promise<{ result: number; errno: number }> {
  if (running === runningMax) {
    await new Promise<void>((resolve) => queue.push(resolve));
  } else {
    running += 1;
  }
  try {
    return await new Promise((resolve, reject) => {
      native.async(...args, (error: Error | null, result: number) => {
        if (error) {
          reject(error);
        } else {
          // Right here, and only here, it is the errno of this call: koffi keeps that
          // of the worker thread until then.
          resolve({ result, errno: koffi.errno() });
        }
      });
    });
  } finally {
    const next = queue.shift();
    if (next === undefined) {
      running -= 1;
    } else {
      next();
    }
  }
}

/** EOPNOTSUPP and ENOTSUP are one number on Linux; `fs` calls it ENOTSUP, as does this. */
function errnoName(errno: number): string {
  return errno === koffi.os.errno['ENOTSUP'] ? 'ENOTSUP' : (errnoNames.get(errno) ?? `errno ${errno}`);
}
