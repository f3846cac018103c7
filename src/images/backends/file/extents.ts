import { StorageError } from '../../../base/errors.js';
import type { Extent } from '../backend.js';
import { MergedExtents } from '../merged-extents.js';
import { SEEK_DATA, SEEK_HOLE } from '../../../native/storage-calls.js';
import { errorCode } from '../../../base/error-details.js';

/** `lseek(2)` on the image. */
export type Seek = (offsetBytes: number, whence: number) => Promise<number>;

/** A part of the file: where it begins, and where it ends. */
export interface FilePart {
  readonly startBytes: number;
  readonly endBytes: number;
}

/**
 * The data and holes of a part of a sparse file, each as long as possible, handed out as soon as their
 * ends are known. The file may change meanwhile; the list is then a mix of before and after, but always
 * without gaps
 * and as long as the part. Where the file system cannot tell, or fails to, all of the rest is data: that is
 * never wrong, and if the storage is broken, reading will say so.
 */
export async function* fileExtents(seek: Seek, part: FilePart): AsyncGenerator<readonly Extent[]> {
  // A file that changed under us can show, say, data begin where data has just ended.
  const merged = new MergedExtents();
  for await (const extent of alternating(seek, part)) {
    merged.add(extent);
    if (merged.completeCount > 0) yield merged.takeComplete();
  }
  const rest = merged.takeAll();
  if (rest.length > 0) yield rest;
}

async function* alternating(seek: Seek, { startBytes, endBytes }: FilePart): AsyncGenerator<Extent> {
  let start = startBytes;
  while (start < endBytes) {
    const dataStart = await find(seek, start, SEEK_DATA, endBytes);
    if (dataStart === undefined) {
      yield { start, length: endBytes - start, zero: false, hole: false };
      return;
    }
    if (dataStart > start) {
      yield { start, length: dataStart - start, zero: true, hole: false };
      start = dataStart;
      continue;
    }
    const dataEnd = (await find(seek, start, SEEK_HOLE, endBytes)) ?? endBytes;
    // No way forward means that the data was deallocated between the two calls. Looking
    // again might never end.
    const end = dataEnd > start ? dataEnd : endBytes;
    yield { start, length: end - start, zero: false, hole: false };
    start = end;
  }
}

/** @returns where it is, at most `endBytes`; `undefined` when it can't be told here */
async function find(
  seek: Seek,
  offsetBytes: number,
  whence: number,
  endBytes: number,
): Promise<number | undefined> {
  try {
    return Math.min(await seek(offsetBytes, whence), endBytes);
  } catch (error: unknown) {
    if (error instanceof StorageError) {
      // Not the answer of the file system: the image was closed.
      throw error;
    }
    // ENXIO means that nothing of what was looked for follows, or that the file became shorter.
    return errorCode(error) === 'ENXIO' ? endBytes : undefined;
  }
}
