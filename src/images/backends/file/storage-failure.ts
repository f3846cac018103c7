import { NoSpaceError, StorageError } from '../../../errors.js';

/** Out of room: of the device, of the owner's quota, or of the largest file that the file system can hold. */
const noSpaceCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Wraps what a system call failed with. The message goes to clients and names no path; the cause, for the log, does.
 * @param doing what failed, for people: `Reading the image failed`
 */
export function storageFailure(doing: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) {
    return cause;
  }
  return noSpaceCodes.has(errorCode(cause) ?? '')
    ? new NoSpaceError({ cause })
    : new StorageError(doing, { cause });
}

/** The name of a failed system call's errno, e.g. `EINVAL`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
