import koffi from 'koffi';
import { errnoName } from './libc.js';

/** What koffi makes of a declaration; the last argument is called with an error or with the result. */
export interface NativeFunction {
  async(...args: unknown[]): void;
}

/**
 * koffi refuses more than 256 calls at once by an exception; those beyond this number
 * wait here for their turn.
 */
const runningMax = 128;
let running = 0;
const queue: (() => void)[] = [];

/**
 * Calls a function of libc in libuv's thread pool, again if a signal interrupted it.
 * @param name for the error
 * @throws Error with `code`, `errno` and `syscall` as those of `fs` have them, when the result is negative
 */
export async function callAsync(name: string, native: NativeFunction, args: unknown[]): Promise<number> {
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
