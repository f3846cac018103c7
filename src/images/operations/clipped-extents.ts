import type { Extent } from '../backends/backend.js';

/**
 * The extents of what a download of the whole image has: nothing past the ticket is told or read, however
 * large the image is (docs/protocol.md, "Bounds of a ticket").
 * @param lists of the whole image
 * @param endBytes where the ticket ends
 */
export async function* clippedExtents(
  lists: AsyncIterable<readonly Extent[]>,
  endBytes: number,
): AsyncGenerator<readonly Extent[]> {
  // Storage need not be asked then.
  if (endBytes === 0) return;
  for await (const list of lists) {
    const last = list.findIndex(({ start, length }) => start + length >= endBytes);
    const lastExtent = list[last];
    if (lastExtent === undefined) {
      yield list;
      continue;
    }
    yield [...list.slice(0, last), { ...lastExtent, length: endBytes - lastExtent.start }];
    return;
  }
}
