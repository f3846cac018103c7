import type { ByteRange } from '../base/units.js';
import { RangeMap } from './range-map.js';
import { RangeSet } from './range-set.js';

/** How sure it is that bytes are there (docs/protocol.md, "Received ranges"). */
export type ReceivedState = 'received' | 'durable';

export interface ReceivedRange extends ByteRange {
  readonly state: ReceivedState;
  /** It was zeroed. Otherwise it may hold zeroes as well. */
  readonly zero: boolean;
}

/** A part of the account, see {@link ReceivedRanges.page}. */
export interface ReceivedPage {
  readonly generation: number;
  /** All that were received, the durable ones among them. */
  readonly receivedBytes: number;
  readonly durableBytes: number;
  readonly ranges: readonly ReceivedRange[];
  /** Where the next page begins; undefined when this was the last. */
  readonly nextBytes: number | undefined;
}

export interface ReceivedPageRequest {
  /** `durable`: those alone. `received`: all of them. */
  readonly state: ReceivedState;
  readonly startBytes: number;
  readonly rangesMax: number;
}

/** What of an account outlives the process: the bytes that are durable, and nothing else. */
export interface ReceivedSnapshot {
  readonly generation: number;
  /** Start, length, and whether it was zeroed, in order. */
  readonly durable: readonly (readonly [start: number, length: number, zero: boolean])[];
}

// What is said of a byte, as bits; 0 is "nothing known".
const received = 1;
const durable = 2;
const zeroed = 4;

/** Past the limit so much of it is made free at once, so that it is not looked for at each I/O. */
const keptShare = 7 / 8;
/** The generations of a process begin at a multiple of this one, past those of the process before it. */
const generationsPerProcess = 2 ** 20;
/** A flush that runs while more separate places than this change makes nothing durable. */
const changedPlacesMax = 4096;

/** So many ranges of the account are looked at for an outline at most, to keep no other request waiting. */
const outlinedMax = 4096;

/** A flush that runs, and where the image has changed since it began. */
interface RunningFlush {
  readonly changed: RangeSet;
}

/** The changes of one request that says only in the end whether they are right. */
export interface HeldChanges {
  /** Where others have changed the image since it began. */
  readonly touched: RangeSet;
}

export interface ChangeOptions {
  readonly zero: boolean;
  /** Nothing is claimed before `confirm`. */
  readonly held?: HeldChanges | undefined;
}

/** A change that runs. Until it ends nobody knows what is there. */
interface RunningChange {
  readonly range: ByteRange;
  /** Storage has forgotten, or may have, what it had taken of this. */
  isLost: boolean;
}

/**
 * Which bytes of an image a ticket has brought there, and which of them a loss of power would not undo.
 * Where it is unsure it says too little: to send a byte again harms nobody.
 */
export class ReceivedRanges {
  readonly #rangesMax: number;
  readonly #map = new RangeMap();
  readonly #changes = new Set<RunningChange>();
  readonly #flushes = new Set<RunningFlush>();
  readonly #held = new Set<HeldChanges>();
  /** All that was received and is not durable lies between these two. */
  #pendingStart = Infinity;
  #pendingEnd = 0;
  #generation = 1;
  #lossCount = 0;
  #onWithdrawn: ((start: number, end: number) => Promise<void>) | undefined;

  /** @param rangesMax how many separate ranges are remembered */
  constructor(rangesMax: number) {
    this.#rangesMax = rangesMax;
  }

  /** Another number than before when something that was there is not any more. */
  get generation(): number {
    return this.#generation;
  }

  /** How many times storage may have lost what was not flushed. What is forgotten for room is no loss. */
  get lossCount(): number {
    return this.#lossCount;
  }

  /** How many separate ranges it takes to tell what was received. */
  get count(): number {
    return this.#map.count;
  }

  /** Bytes that were received, the durable ones among them. */
  get receivedBytes(): number {
    return this.#map.bytesOf(received) + this.#map.bytesOf(received | zeroed) + this.durableBytes;
  }

  get durableBytes(): number {
    return this.#map.bytesOf(received | durable) + this.#map.bytesOf(received | durable | zeroed);
  }

  /**
   * Has `range` changed by `change`. Bytes of it that were durable are not from now on; afterwards it is
   * received, or when it is held back or `change` fails nothing is known of it.
   * @throws what `change` throws
   */
  async change(range: ByteRange, { zero, held }: ChangeOptions, change: () => Promise<void>): Promise<void> {
    const { offsetBytes: start, lengthBytes } = range;
    const end = start + lengthBytes;
    const running = { range, isLost: false };
    this.#changes.add(running);
    for (const other of this.#held) if (other !== held) addPlace(other.touched, start, end);
    const isWithdrawn = this.durableBytes > 0 && this.#withdraw(start, end);
    try {
      if (isWithdrawn) await this.#onWithdrawn?.(start, end);
      await change();
    } catch (error: unknown) {
      this.#changes.delete(running);
      this.#forget(start, end);
      throw error;
    }
    this.#changes.delete(running);
    if (running.isLost || held !== undefined) this.#forget(start, end);
    else this.#receive(start, end, zero ? received | zeroed : received);
  }

  /** To be handed to each change that is to be held back, and ended with `release`. */
  holdBack(): HeldChanges {
    const held = { touched: new RangeSet() };
    this.#held.add(held);
    return held;
  }

  /** What was held back of `range` is right: it is received, except for what others have changed since. */
  confirm({ touched }: HeldChanges, { offsetBytes, lengthBytes }: ByteRange): void {
    for (const [start, end] of touched.gaps(offsetBytes, offsetBytes + lengthBytes))
      this.#receive(start, end, received);
  }

  /** No more of it is confirmed. Idempotent. */
  release(held: HeldChanges): void {
    this.#held.delete(held);
  }

  /**
   * Has `flush` make durable what was received before, except for what has changed again until it ends.
   * When it fails, nothing is left of what was not durable.
   * @throws what `flush` throws
   */
  async flush(flush: () => Promise<void>): Promise<void> {
    const running = { changed: new RangeSet() };
    this.#flushes.add(running);
    try {
      await flush();
    } catch (error: unknown) {
      this.#flushes.delete(running);
      this.takeBack();
      throw error;
    }
    this.#flushes.delete(running);
    this.#makeDurable(running);
  }

  /** Storage may have forgotten all that was not durable. */
  takeBack(): void {
    const { receivedBytes } = this;
    this.#map.transform(this.#pendingStart, this.#pendingEnd, (value) =>
      (value & durable) === 0 ? 0 : value,
    );
    this.#pendingStart = Infinity;
    this.#pendingEnd = 0;
    for (const running of this.#changes) running.isLost = true;
    for (const { touched } of this.#held) touched.add(0, Infinity);
    if (this.receivedBytes < receivedBytes || this.#changes.size > 0) {
      this.#generation++;
      this.#lossCount++;
    }
  }

  /** The ranges from `startBytes` on, in order. One that began before is told from there. */
  page({ state, startBytes, rangesMax }: ReceivedPageRequest): ReceivedPage {
    const ranges: ReceivedRange[] = [];
    let nextBytes: number | undefined;
    for (const { start, end, value } of this.#map.from(startBytes)) {
      const isDurable = (value & durable) !== 0;
      if (state === 'durable' && !isDurable) continue;
      if (ranges.length === rangesMax) {
        nextBytes = start;
        break;
      }
      const offsetBytes = Math.max(start, startBytes);
      ranges.push({
        offsetBytes,
        lengthBytes: end - offsetBytes,
        state: isDurable ? 'durable' : 'received',
        zero: (value & zeroed) !== 0,
      });
    }
    const { generation, receivedBytes, durableBytes } = this;
    return { generation, receivedBytes, durableBytes, ranges, nextBytes };
  }

  /**
   * What was received, be it durable or not: the first ranges in order, with a gap between any two. Of an
   * account in very many pieces it may be less.
   */
  outline(rangesMax: number): readonly ByteRange[] {
    const ranges: { offsetBytes: number; lengthBytes: number }[] = [];
    let endBytes = -1;
    let lookedAt = 0;
    for (const { start, end } of this.#map.from(0)) {
      const last = ranges.at(-1);
      if (last !== undefined && start === endBytes) last.lengthBytes = end - last.offsetBytes;
      else if (ranges.length < rangesMax) ranges.push({ offsetBytes: start, lengthBytes: end - start });
      else break;
      endBytes = end;
      lookedAt++;
      if (lookedAt === outlinedMax) break;
    }
    return ranges;
  }

  /** Has `listener` called before bytes change that were durable; the change waits for it. */
  beforeWithdrawn(listener: (start: number, end: number) => Promise<void>): void {
    this.#onWithdrawn = listener;
  }

  /** What may be claimed by whoever goes on after this process has died. */
  snapshot(): ReceivedSnapshot {
    const { ranges } = this.page({ state: 'durable', startBytes: 0, rangesMax: Infinity });
    return {
      generation: this.#generation,
      durable: ranges.map(({ offsetBytes, lengthBytes, zero }) => [offsetBytes, lengthBytes, zero] as const),
    };
  }

  /** Begins with what `snapshot` says, in a generation that the process before this one did not have. */
  restore({ generation, durable: ranges }: ReceivedSnapshot): void {
    this.#generation = (Math.floor(generation / generationsPerProcess) + 1) * generationsPerProcess;
    for (const [start, length, zero] of ranges)
      this.#map.set(start, start + length, received | durable | (zero ? zeroed : 0));
    this.#bound();
  }

  /** Says of [start, end) that it is not durable any more. @returns whether some of it was */
  #withdraw(start: number, end: number): boolean {
    const { durableBytes } = this;
    this.#map.transform(start, end, (value) => value & ~durable);
    const isWithdrawn = this.durableBytes < durableBytes;
    if (isWithdrawn) this.#expectPending(start, end);
    this.#bound();
    return isWithdrawn;
  }

  #receive(start: number, end: number, value: number): void {
    for (const { changed } of this.#flushes) addPlace(changed, start, end);
    this.#map.set(start, end, value);
    this.#expectPending(start, end);
    this.#bound();
  }

  #forget(start: number, end: number): void {
    const { receivedBytes } = this;
    this.#map.set(start, end, 0);
    if (this.receivedBytes < receivedBytes) this.#generation++;
    this.#bound();
  }

  #makeDurable({ changed }: RunningFlush): void {
    const [start, end] = [this.#pendingStart, this.#pendingEnd];
    if (start >= end) return;
    for (const { range } of this.#changes)
      addPlace(changed, range.offsetBytes, range.offsetBytes + range.lengthBytes);
    this.#map.transform(start, end, (value) => value | durable, changed);
    // Of these only what has changed meanwhile can still be pending.
    const gaps = changed.gaps(start, end);
    const [first, last] = [gaps[0], gaps.at(-1)];
    this.#pendingStart = Infinity;
    this.#pendingEnd = 0;
    const pendingStart = first?.[0] === start ? first[1] : start;
    const pendingEnd = last?.[1] === end ? last[0] : end;
    if (pendingStart < pendingEnd) this.#expectPending(pendingStart, pendingEnd);
  }

  #expectPending(start: number, end: number): void {
    this.#pendingStart = Math.min(this.#pendingStart, start);
    this.#pendingEnd = Math.max(this.#pendingEnd, end);
  }

  /**
   * Past the limit first gives up telling what was zeroed, which loses no byte, and then forgets the smallest
   * ranges. What lies between two ranges is never taken for received.
   */
  #bound(): void {
    if (this.#map.count <= this.#rangesMax) return;
    this.#map.transform(0, Infinity, (value) => value & ~zeroed);
    const keptMax = Math.floor(this.#rangesMax * keptShare);
    if (this.#map.count <= keptMax) return;
    this.#forgetSmallest(this.#map.count - keptMax);
  }

  /** Forgets `count` ranges, none of which is twice as long as one that stays. */
  #forgetSmallest(count: number): void {
    const countOf: number[] = [];
    for (const { start, end } of this.#map.from(0)) {
      const size = sizeClass(end - start);
      countOf[size] = (countOf[size] ?? 0) + 1;
    }
    // Of the largest class that has to give some, only as many as are still needed.
    let largest = 0;
    let left = count;
    for (; left > (countOf[largest] ?? 0); largest++) left -= countOf[largest] ?? 0;
    this.#map.filter(({ start, end }) => {
      const size = sizeClass(end - start);
      if (size === largest) left--;
      return size > largest || (size === largest && left < 0);
    });
    this.#generation++;
  }
}

function sizeClass(lengthBytes: number): number {
  return Math.floor(Math.log2(lengthBytes));
}

/** Adds [start, end). When there are too many places, all that lies between them is added as well. */
function addPlace(places: RangeSet, start: number, end: number): void {
  places.add(start, end);
  if (places.count > changedPlacesMax) places.add(0, Infinity);
}
