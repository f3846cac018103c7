import { getSystemErrorMap } from 'node:util';

import { NoSpaceError, StorageError, type StorageTrouble } from '../../../base/errors.js';
import { errorCode } from '../../../base/error-details.js';

/** Out of room: of the device, of the owner's quota, or of the largest file that the file system can hold. */
const noSpaceCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Wraps what a system call failed with. The message goes to clients and names no path;
 * the cause, for the log, does.
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

/** Wraps what opening a file failed with, as `storageFailure` does, and tells what has to be mended. */
export function openingFailure(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const trouble = openingTroubles.get(errorCode(cause) ?? '');
  return new StorageError('Opening the image failed', { cause, trouble });
}

const openingTroubles: ReadonlyMap<string, StorageTrouble> = new Map([
  ['ENOENT', 'image_missing'],
  ['ENOTDIR', 'image_missing'],
  ['EACCES', 'access_denied'],
  ['EPERM', 'access_denied'],
  ['EROFS', 'read_only'],
  ['EISDIR', 'not_an_image'],
  ['ENXIO', 'storage_missing'],
  ['ENODEV', 'storage_missing'],
  ['ESTALE', 'storage_unreachable'],
  ['ETIMEDOUT', 'storage_unreachable'],
  ['EHOSTDOWN', 'storage_unreachable'],
]);

/**
 * A failed system call's error as if the kernel had been asked for `path`. What it was asked for is a
 * descriptor that held the file or a folder above it, whose name means nothing to people.
 */
export function namingPath(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('errno' in error) || !('syscall' in error)) return error;
  const { errno, syscall } = error as NodeJS.ErrnoException;
  const [code, text] = getSystemErrorMap().get(Number(errno)) ?? [errorCode(error), 'unknown error'];
  return Object.assign(new Error(`${code}: ${text}, ${syscall} '${path}'`), { code, errno, syscall });
}
