import koffi from 'koffi';

/**
 * The libc that the process has anyway, whatever its name on this system. Files of this folder declare in it
 * what Node lacks, each function once; nobody else knows of koffi.
 */
export const libc = koffi.load(null);

const errnoNames = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));

/** EOPNOTSUPP and ENOTSUP are one number on Linux; `fs` calls it ENOTSUP, as does this. */
export function errnoName(errno: number): string {
  return errno === koffi.os.errno['ENOTSUP'] ? 'ENOTSUP' : (errnoNames.get(errno) ?? `errno ${errno}`);
}

/** Why the last call of this thread failed, by the name of its errno. To be asked right after the call. */
export function lastErrnoName(): string {
  return errnoName(koffi.errno());
}
