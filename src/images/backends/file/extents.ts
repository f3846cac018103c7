import type { Extent } from '../backend.js';
import { SEEK_DATA, SEEK_HOLE } from './libc.js';
import { errorCode } from './storage-failure.js';

/** `lseek(2)` on the image. */
export type Seek = (offsetBytes: number, whence: number) => Promise<number>;

/** What file systems and block devices without support say. ENXIO is none of them: it means that no data follows. */
const unsupportedCodes = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOTTY', 'ESPIPE']);

/**
 * The data and holes of a sparse file, one at a time, each as long as possible. The file may change meanwhile; the list
 * is then a mix of before and after, but always without gaps and `sizeBytes` long. Where the file system cannot tell,
 * all of the rest is data.
 */
export async function* fileExtents(seek: Seek, sizeBytes: number): AsyncGenerator<Extent> {
  let pending: Extent | undefined;
  for await (const extent of alternating(seek, sizeBytes)) {
    if (pending?.zero === extent.zero) {
      // A file that changed under us can show, say, data begin where data has just ended.
      pending = { ...pending, length: pending.length + extent.length };
    } else {
      if (pending !== undefined) {
        yield pending;
      }
      pending = extent;
    }
  }
  if (pending !== undefined) {
    yield pending;
  }
}

async function* alternating(seek: Seek, sizeBytes: number): AsyncGenerator<Extent> {
  let start = 0;
  while (start < sizeBytes) {
    const dataStart = await find(seek, start, SEEK_DATA, sizeBytes);
    if (dataStart === undefined) {
      yield { start, length: sizeBytes - start, zero: false, hole: false };
      return;
    }
    if (dataStart > start) {
      yield { start, length: dataStart - start, zero: true, hole: false };
      start = dataStart;
      continue;
    }
    const dataEnd = (await find(seek, start, SEEK_HOLE, sizeBytes)) ?? sizeBytes;
    if (dataEnd > start) {
      yield { start, length: dataEnd - start, zero: false, hole: false };
      start = dataEnd;
    }
    // Else the data was deallocated between the two calls: look again.
  }
}

/** @returns where it is, at most `sizeBytes`; `undefined` when it can't be told here */
async function find(
  seek: Seek,
  offsetBytes: number,
  whence: number,
  sizeBytes: number,
): Promise<number | undefined> {
  try {
    return Math.min(await seek(offsetBytes, whence), sizeBytes);
  } catch (error: unknown) {
    const code = errorCode(error) ?? '';
    if (code === 'ENXIO') {
      return sizeBytes;
    }
    if (unsupportedCodes.has(code)) {
      return undefined;
    }
    throw error;
  }
}
