/** A part of a disk. */
export interface ByteRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** A set of parts of a disk, kept in order and merged. */
export class RangeSet {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  static of(ranges: Iterable<ByteRange>): RangeSet {
    const set = new RangeSet();
    for (const range of ranges) set.add(range);
    return set;
  }

  /** Distinct bytes that it has. */
  get coveredBytes(): number {
    let bytes = 0;
    for (const [index, start] of this.#starts.entries()) bytes += (this.#ends[index] as number) - start;
    return bytes;
  }

  add({ offsetBytes, lengthBytes }: ByteRange): void {
    if (lengthBytes <= 0) return;
    let start = offsetBytes;
    let end = offsetBytes + lengthBytes;
    const first = firstNotBelow(this.#ends, start);
    let next = first;
    for (; next < this.#starts.length && (this.#starts[next] as number) <= end; next++) {
      start = Math.min(start, this.#starts[next] as number);
      end = Math.max(end, this.#ends[next] as number);
    }
    this.#starts.splice(first, next - first, start);
    this.#ends.splice(first, next - first, end);
  }

  /** It has every byte of `range`; so it has a range without bytes. */
  has({ offsetBytes, lengthBytes }: ByteRange): boolean {
    if (lengthBytes === 0) return true;
    const index = firstNotBelow(this.#ends, offsetBytes + lengthBytes);
    const start = this.#starts[index];
    return start !== undefined && start <= offsetBytes;
  }

  /** The parts of `range` that it has not, in order. */
  *gaps({ offsetBytes, lengthBytes }: ByteRange): Generator<ByteRange> {
    const endBytes = offsetBytes + lengthBytes;
    let gapStart = offsetBytes;
    for (let index = firstNotBelow(this.#ends, offsetBytes); index < this.#starts.length; index++) {
      const start = this.#starts[index] as number;
      if (start >= endBytes) break;
      if (start > gapStart) yield { offsetBytes: gapStart, lengthBytes: start - gapStart };
      gapStart = Math.max(gapStart, this.#ends[index] as number);
    }
    if (gapStart < endBytes) yield { offsetBytes: gapStart, lengthBytes: endBytes - gapStart };
  }

  /** The parts of `range` that it has, in order. */
  *parts({ offsetBytes, lengthBytes }: ByteRange): Generator<ByteRange> {
    const endBytes = offsetBytes + lengthBytes;
    for (let index = firstNotBelow(this.#ends, offsetBytes + 1); index < this.#starts.length; index++) {
      const start = Math.max(this.#starts[index] as number, offsetBytes);
      const end = Math.min(this.#ends[index] as number, endBytes);
      if (start >= end) return;
      yield { offsetBytes: start, lengthBytes: end - start };
    }
  }

  /** In order, none touching the next. */
  *[Symbol.iterator](): Generator<ByteRange> {
    for (const [index, start] of this.#starts.entries())
      yield { offsetBytes: start, lengthBytes: (this.#ends[index] as number) - start };
  }
}

/** The first index whose value is not below `value`. */
function firstNotBelow(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
