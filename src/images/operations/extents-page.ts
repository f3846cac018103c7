import { MiB, type ByteRange } from '../../base/units.js';
import type { Backend, Extent, ExtentContext } from '../backends/backend.js';
import { MergedExtents } from '../backends/merged-extents.js';

export interface PageOptions {
  /** At most so many extents. */
  readonly limit: number;
  /** Is called with the next extents of the page: as they come, so that nobody keeps ten thousand. */
  readonly take: (extents: readonly Extent[]) => void;
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
 * @returns where the next page begins; undefined when there is none
 */
export async function extentsPage(
  backend: Pick<Backend, 'extents'>,
  context: ExtentContext,
  { offsetBytes, lengthBytes }: ByteRange,
  { limit, take, patienceMs = usualPatienceMs }: PageOptions,
): Promise<number | undefined> {
  const begunAt = performance.now();
  const endBytes = offsetBytes + lengthBytes;
  const page = new Page(limit, take);
  let stepBytes = firstStepBytes;
  let at = offsetBytes;
  while (at < endBytes) {
    const stepAt = performance.now();
    const step = { offsetBytes: at, lengthBytes: Math.min(stepBytes, endBytes - at) };
    for await (const list of backend.extents(context, step)) {
      for (const extent of list) {
        if (page.add(extent)) return page.endBytes;
      }
      page.handOn();
      if (page.count > 0 && performance.now() - begunAt >= patienceMs) return page.end(endBytes);
    }
    at += step.lengthBytes;
    const now = performance.now();
    if (now - begunAt >= patienceMs) break;
    if (now - stepAt < quickStepMs) stepBytes *= 2;
  }
  return page.end(endBytes);
}

class Page {
  readonly #merged = new MergedExtents();
  /** Of those that were handed on. */
  #count = 0;
  #endBytes = 0;

  constructor(
    private readonly limit: number,
    private readonly take: PageOptions['take'],
  ) {}

  get count(): number {
    return this.#count;
  }

  /** Where the last extent that was handed on has its end. */
  get endBytes(): number {
    return this.#endBytes;
  }

  /** @returns whether the page is full, without this extent */
  add(extent: Extent): boolean {
    this.#merged.add(extent);
    if (this.#count + this.#merged.completeCount < this.limit) return false;
    this.handOn();
    return true;
  }

  /** Hands on those that cannot grow any more. */
  handOn(): void {
    this.#handOn(this.#merged.takeComplete());
  }

  /** Hands on all there are. @returns where the next page begins, before `endBytes` */
  end(endBytes: number): number | undefined {
    this.#handOn(this.#merged.takeAll());
    return this.#count > 0 && this.#endBytes < endBytes ? this.#endBytes : undefined;
  }

  #handOn(extents: readonly Extent[]): void {
    const last = extents.at(-1);
    if (last === undefined) return;
    this.#count += extents.length;
    this.#endBytes = last.start + last.length;
    this.take(extents);
  }
}
