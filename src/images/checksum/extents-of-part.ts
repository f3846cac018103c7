import type { ByteRange } from '../../base/units.js';
import type { Extent } from '../backends/backend.js';

/**
 * The extents of a part of an image one by one, the first and the last cut where the part begins and ends.
 * Fewer bytes come where the image ends before the part does.
 * @param lists of the part or of more, such as the whole image, in order and without gaps
 */
export async function* extentsOfPart(
  lists: AsyncIterable<readonly Extent[]>,
  { offsetBytes, lengthBytes }: ByteRange,
): AsyncGenerator<Extent> {
  // Storage need not be asked then.
  if (lengthBytes === 0) return;
  const endBytes = offsetBytes + lengthBytes;
  for await (const list of lists) {
    for (const extent of list) {
      const start = Math.max(extent.start, offsetBytes);
      const end = Math.min(extent.start + extent.length, endBytes);
      if (start < end) yield { ...extent, start, length: end - start };
      if (end === endBytes) return;
    }
  }
}
