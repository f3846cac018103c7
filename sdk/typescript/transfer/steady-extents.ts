import type { DiskExtent, ReadableDisk } from './disk.js';
import type { Retrier } from './retry.js';

/** The extents of a disk, asked for again where the list broke off for a reason that passes. */
export async function* steadyExtents(
  disk: ReadableDisk,
  retrier: Retrier,
  signal: AbortSignal,
): AsyncGenerator<DiskExtent> {
  let endBytes = 0;
  const begin = (): AsyncIterator<DiskExtent> => disk.extents(signal)[Symbol.asyncIterator]();
  let extents = begin();
  const nextOne = async (): Promise<DiskExtent | undefined> => {
    try {
      for (;;) {
        const next: IteratorResult<DiskExtent, unknown> = await extents.next();
        if (next.done === true) return undefined;
        if (next.value.offsetBytes + next.value.lengthBytes > endBytes) return next.value;
      }
    } catch (error: unknown) {
      extents = begin();
      throw error;
    }
  };
  try {
    for (;;) {
      const extent = await retrier.run(signal, nextOne);
      if (extent === undefined) return;
      const offsetBytes = Math.max(extent.offsetBytes, endBytes);
      endBytes = extent.offsetBytes + extent.lengthBytes;
      yield { offsetBytes, lengthBytes: endBytes - offsetBytes, zero: extent.zero };
    }
  } finally {
    await extents.return?.();
  }
}
