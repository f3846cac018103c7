import { lowerBound, type RangeSet } from './range-set.js';

/** A part of what a map covers: [start, end) has the value, which is not 0. */
export interface MappedRange {
  readonly start: number;
  readonly end: number;
  readonly value: number;
}

// Up to so many ranges are put in by moving what follows them; for more of them new lists are made.
const splicedMax = 8;

/**
 * Says of each byte which small number it has; 0 where nothing was ever said. Neighbours that have the same
 * one are one range. Sorted arrays with binary search, as in {@link RangeSet}: a transfer in one piece is
 * one range that grows in its place.
 */
export class RangeMap {
  #starts: number[] = [];
  #ends: number[] = [];
  #values: number[] = [];
  /** Bytes by value; of 0 it is not known. */
  readonly #bytes: number[] = [];

  /** How many separate ranges it takes to describe it. */
  get count(): number {
    return this.#starts.length;
  }

  /** How many bytes have `value`, which is not 0. */
  bytesOf(value: number): number {
    return this.#bytes[value] ?? 0;
  }

  /** The ranges from the first that ends after `start`, in order. Nothing may be changed meanwhile. */
  *from(start: number): Generator<MappedRange> {
    for (let index = lowerBound(this.#ends, start + 1); index < this.count; index++) yield this.#at(index);
  }

  /** Says `value` of [start, end); 0 forgets what was said. */
  set(start: number, end: number, value: number): void {
    if (end <= start) return;
    const first = lowerBound(this.#ends, start);
    let next = first;
    while (next < this.count && (this.#starts[next] as number) <= end) next++;
    const pieces = new Pieces();
    if (next > first && (this.#starts[first] as number) < start) {
      const { start: leftStart, end: leftEnd, value: leftValue } = this.#at(first);
      pieces.add(leftStart, Math.min(leftEnd, start), leftValue);
    }
    pieces.add(start, end, value);
    if (next > first && (this.#ends[next - 1] as number) > end) {
      const { start: rightStart, end: rightEnd, value: rightValue } = this.#at(next - 1);
      pieces.add(Math.max(rightStart, end), rightEnd, rightValue);
    }
    this.#replace(first, next, pieces);
  }

  /**
   * Gives each range within [start, end) the value that `change` says for the one it has, except where
   * `except` covers it.
   */
  transform(start: number, end: number, change: (value: number) => number, except?: RangeSet): void {
    // With a neighbour on either side, which may be alike afterwards.
    const first = lowerBound(this.#ends, start);
    const pieces = new Pieces();
    let next = first;
    let differs = false;
    for (; next < this.count; next++) {
      const range = this.#at(next);
      const value = change(range.value);
      const from = Math.max(range.start, start);
      const to = Math.min(range.end, end);
      if (value === range.value || from >= to) pieces.add(range.start, range.end, range.value);
      else {
        let keptStart = range.start;
        for (const [gapStart, gapEnd] of except === undefined
          ? [[from, to] as const]
          : except.gaps(from, to)) {
          differs = true;
          pieces.add(keptStart, gapStart, range.value);
          pieces.add(gapStart, gapEnd, value);
          keptStart = gapEnd;
        }
        pieces.add(keptStart, range.end, range.value);
      }
      if (range.start >= end) {
        next++;
        break;
      }
    }
    if (differs) this.#replace(first, next, pieces);
  }

  /** Forgets the ranges that `isKept` says no to. */
  filter(isKept: (range: MappedRange) => boolean): void {
    const pieces = new Pieces();
    for (const range of this.from(0)) if (isKept(range)) pieces.add(range.start, range.end, range.value);
    this.#replace(0, this.count, pieces);
  }

  #at(index: number): MappedRange {
    return {
      start: this.#starts[index] as number,
      end: this.#ends[index] as number,
      value: this.#values[index] as number,
    };
  }

  /** Puts `pieces` in the place of the ranges [first, next). */
  #replace(first: number, next: number, { starts, ends, values }: Pieces): void {
    for (let index = first; index < next; index++) this.#count(index, -1);
    const added = starts.length;
    if (added === next - first) {
      for (let index = 0; index < added; index++) {
        this.#starts[first + index] = starts[index] as number;
        this.#ends[first + index] = ends[index] as number;
        this.#values[first + index] = values[index] as number;
      }
    } else {
      this.#starts = replaced(this.#starts, first, next, starts);
      this.#ends = replaced(this.#ends, first, next, ends);
      this.#values = replaced(this.#values, first, next, values);
    }
    for (let index = first; index < first + added; index++) this.#count(index, 1);
  }

  #count(index: number, sign: 1 | -1): void {
    const value = this.#values[index] as number;
    const lengthBytes = (this.#ends[index] as number) - (this.#starts[index] as number);
    this.#bytes[value] = this.bytesOf(value) + sign * lengthBytes;
  }
}

/** Ranges in order, put together from left to right: neighbours that are alike become one. */
class Pieces {
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly values: number[] = [];

  add(start: number, end: number, value: number): void {
    if (end <= start || value === 0) return;
    const last = this.starts.length - 1;
    if (last >= 0 && this.ends[last] === start && this.values[last] === value) {
      this.ends[last] = end;
      return;
    }
    this.starts.push(start);
    this.ends.push(end);
    this.values.push(value);
  }
}

function replaced(list: number[], first: number, next: number, pieces: readonly number[]): number[] {
  if (pieces.length > splicedMax) return [...list.slice(0, first), ...pieces, ...list.slice(next)];
  list.splice(first, next - first, ...pieces);
  return list;
}
