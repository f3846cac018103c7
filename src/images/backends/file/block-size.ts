import { AlignedMemory, pageBytes } from '../../buffers/aligned-memory.js';
import { readOnce } from './file-calls.js';
import { errorCode } from '../../../base/error-details.js';

const probe = new AlignedMemory(pageBytes).allocate(pageBytes);

/**
 * Finds the block size of a file opened with `O_DIRECT` by trying what it refuses.
 * @returns 512 or 4096; 4096, which always works, when it can't be told; `undefined` when the file system
 *   took `O_DIRECT` but no direct read works
 */
export async function detectBlockSize(fd: number): Promise<512 | 4096 | undefined> {
  // A file system that takes even one byte (NFS, tmpfs, btrfs) has no alignment to find out, and an
  // empty file answers 0 to everything.
  if ((await directRead(fd, 1)) !== 'refused') {
    return 4096;
  }
  if ((await directRead(fd, 512)) === 'data') {
    return 512;
  }
  return (await directRead(fd, 4096)) === 'refused' ? undefined : 4096;
}

async function directRead(fd: number, lengthBytes: number): Promise<'data' | 'refused' | 'unknown'> {
  try {
    // The content is not looked at, so concurrent probes may share the memory.
    return (await readOnce(fd)(probe.subarray(0, lengthBytes), 0)) > 0 ? 'data' : 'unknown';
  } catch (error: unknown) {
    return errorCode(error) === 'EINVAL' ? 'refused' : 'unknown';
  }
}
