/**
 * A set of byte ranges, kept merged, that knows how many distinct bytes it covers. Sorted arrays with
 * binary search: a transfer in one piece keeps one range for ever, and random access costs O(log n) to find
 * and a memmove to insert, not a walk over all.
 */
export class RangeSet {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #coveredBytes = 0;

  /** Distinct bytes covered. */
  get coveredBytes(): number {
    return this.#coveredBytes;
  }

  /** How many separate ranges it takes to describe them. */
  get count(): number {
    return this.#starts.length;
  }

  /** The first ranges, at most `countMax` of them, each as its start and end. */
  first(countMax: number): (readonly [number, number])[] {
    return this.#starts
      .slice(0, countMax)
      .map((start, index) => [start, this.#ends[index] as number] as const);
  }

  /** All ranges in order, each as its start and end. */
  *[Symbol.iterator](): Generator<readonly [number, number]> {
    for (const [index, start] of this.#starts.entries()) yield [start, this.#ends[index] as number];
  }

  /** The parts of [start, end) that are not covered, in order, each as its start and end. */
  gaps(start: number, end: number): (readonly [number, number])[] {
    const gaps: (readonly [number, number])[] = [];
    let gapStart = start;
    for (let index = lowerBound(this.#ends, start); index < this.#starts.length; index++) {
      const rangeStart = this.#starts[index] as number;
      if (rangeStart >= end) break;
      if (rangeStart > gapStart) gaps.push([gapStart, rangeStart]);
      gapStart = Math.max(gapStart, this.#ends[index] as number);
    }
    if (gapStart < end) gaps.push([gapStart, end]);
    return gaps;
  }

  /** Adds [start, end); what was covered already is not counted again. */
  add(start: number, end: number): void {
    if (end <= start) return;
    // All ranges that touch [start, end] are at [first, next): those that end at or after its start
    // and begin at or before its end.
    const first = lowerBound(this.#ends, start);
    let next = first;
    let mergedStart = start;
    let mergedEnd = end;
    let replacedBytes = 0;
    for (; next < this.#starts.length; next++) {
      const rangeStart = this.#starts[next] as number;
      if (rangeStart > end) break;
      const rangeEnd = this.#ends[next] as number;
      mergedStart = Math.min(mergedStart, rangeStart);
      mergedEnd = Math.max(mergedEnd, rangeEnd);
      replacedBytes += rangeEnd - rangeStart;
    }
    this.#coveredBytes += mergedEnd - mergedStart - replacedBytes;
    if (next === first + 1) {
      this.#starts[first] = mergedStart;
      this.#ends[first] = mergedEnd;
      return;
    }
    this.#starts.splice(first, next - first, mergedStart);
    this.#ends.splice(first, next - first, mergedEnd);
  }
}

/** The first index whose value is not below `value`. */
export function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
