import type { Extent } from './backend.js';

/** Merges extents that come in order with their neighbours of the same kind, and hands them out in lists. */
export class MergedExtents {
  #complete: Extent[] = [];
  #last: Extent | undefined;

  /** @param extent begins where the one before ended */
  add(extent: Extent): void {
    const last = this.#last;
    if (last !== undefined && isAlike(last, extent)) {
      this.#last = { ...last, length: last.length + extent.length };
      return;
    }
    if (last !== undefined) this.#complete.push(last);
    this.#last = extent;
  }

  /** How many extents there are that cannot grow any more. */
  get completeCount(): number {
    return this.#complete.length;
  }

  /** Takes those that cannot grow any more. */
  takeComplete(): readonly Extent[] {
    const complete = this.#complete;
    this.#complete = [];
    return complete;
  }

  /** Takes all: no more will come. */
  takeAll(): readonly Extent[] {
    const all = this.#last === undefined ? this.#complete : [...this.#complete, this.#last];
    this.#complete = [];
    this.#last = undefined;
    return all;
  }
}

function isAlike(one: Extent, other: Extent): boolean {
  return one.zero === other.zero && one.hole === other.hole && one.dirty === other.dirty;
}
