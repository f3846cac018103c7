import { MiB, type ByteRange } from '../../base/units.js';
import type { Backend, Extent, ExtentContext } from '../backends/backend.js';
import { MergedExtents } from '../backends/merged-extents.js';

export interface ExtentsPage {
  readonly extents: readonly Extent[];
  /** Where the next page begins; undefined when there is none. */
  readonly nextBytes: number | undefined;
}

export interface PageBounds {
  /** At most so many extents. */
  readonly limit: number;
  /** How long storage is asked for more of them, when there is one. */
  readonly patienceMs?: number;
}

/** A page is there as soon as the head of a list would be, so that it needs none in advance. */
const usualPatienceMs = 750;

/**
 * Storage tells all extents of what it is asked for: 2 GiB of a fragmented image have half a million, of
 * which a page takes the first thousand.
 */
const firstStepBytes = 16 * MiB;
/** Of storage that is as quick as this, more is asked for at once. */
const quickStepMs = 100;

/**
 * The extents of the beginning of `range`. Storage is asked step by step, because within a step only those
 * extents are known whose ends are: a large hole would be known when all of it was looked at.
 * @param range within the image
 */
export async function extentsPage(
  backend: Pick<Backend, 'extents'>,
  context: ExtentContext,
  { offsetBytes, lengthBytes }: ByteRange,
  { limit, patienceMs = usualPatienceMs }: PageBounds,
): Promise<ExtentsPage> {
  const begunAt = performance.now();
  const endBytes = offsetBytes + lengthBytes;
  const merged = new MergedExtents();
  let stepBytes = firstStepBytes;
  let at = offsetBytes;
  while (at < endBytes) {
    const stepAt = performance.now();
    const step = { offsetBytes: at, lengthBytes: Math.min(stepBytes, endBytes - at) };
    for await (const list of backend.extents(context, step)) {
      for (const extent of list) {
        merged.add(extent);
        if (merged.completeCount === limit) return page(merged.takeComplete(), endBytes);
      }
      if (merged.completeCount > 0 && performance.now() - begunAt >= patienceMs) {
        return page(merged.takeAll(), endBytes);
      }
    }
    at += step.lengthBytes;
    const now = performance.now();
    if (now - begunAt >= patienceMs) break;
    if (now - stepAt < quickStepMs) stepBytes *= 2;
  }
  return page(merged.takeAll(), endBytes);
}

function page(extents: readonly Extent[], endBytes: number): ExtentsPage {
  const last = extents.at(-1);
  const end = last === undefined ? endBytes : last.start + last.length;
  return { extents, nextBytes: end < endBytes ? end : undefined };
}
