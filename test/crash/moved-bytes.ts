import { RangeSet, type ByteRange } from '#sdk/transfer';

/** What of an image went over the wire in one transfer, however often it was interrupted. */
export interface MovedSummary {
  /** Of bodies, with what was sent again. */
  readonly movedBytes: number;
  /** Had been moved before. */
  readonly againBytes: number;
  /** Of these, those that were on stable storage already. */
  readonly wastedBytes: number;
  /** What was moved and not on stable storage when something was killed, all kills together. */
  readonly lostBytes: number;
  /** Of bodies that the service refused: it took nothing of them. */
  readonly refusedBytes: number;
}

/**
 * Counts what goes over the wire, and what of that is known to be on stable storage. It believes nobody: for
 * an upload only what was answered before a flush was asked for that was answered too.
 */
export class MovedBytes {
  readonly #moved = new RangeSet();
  #durable = new RangeSet();
  /** The service has said that it has them. */
  #answered = new RangeSet();
  #movedBytes = 0;
  #againBytes = 0;
  #wastedBytes = 0;
  #lostBytes = 0;
  #refusedBytes = 0;

  get summary(): MovedSummary {
    return {
      movedBytes: this.#movedBytes,
      againBytes: this.#againBytes,
      wastedBytes: this.#wastedBytes,
      lostBytes: this.#lostBytes,
      refusedBytes: this.#refusedBytes,
    };
  }

  /** A body has ended, or was cut: so much of it was moved. */
  moved(range: ByteRange): void {
    this.#movedBytes += range.lengthBytes;
    this.#againBytes += coveredOf(this.#moved, range);
    this.#wastedBytes += coveredOf(this.#durable, range);
    this.#moved.add(range);
  }

  refused({ lengthBytes }: ByteRange): void {
    this.#refusedBytes += lengthBytes;
  }

  /** The service has said that it has all of it. */
  answered(range: ByteRange): void {
    this.#answered.add(range);
  }

  /** @returns to be called when the flush has succeeded */
  flushBegins(): () => void {
    const before = RangeSet.of(this.#answered);
    return () => {
      for (const range of before) this.#durable.add(range);
    };
  }

  /** A state that was kept says what is durable; what it does not say is not. */
  durableIs(ranges: Iterable<ByteRange>): void {
    this.#durable = RangeSet.of(ranges);
  }

  /** Something was killed: what is not durable now may have to be moved again. */
  killed(): void {
    this.#lostBytes += this.#moved.coveredBytes - this.#durable.coveredBytes;
  }

  /**
   * Storage was killed, or the service that keeps account of it: a flush that comes now says nothing of what
   * was taken before.
   */
  forgotten(): void {
    this.#answered = new RangeSet();
  }
}

function coveredOf(set: RangeSet, range: ByteRange): number {
  let missingBytes = 0;
  for (const gap of set.gaps(range)) missingBytes += gap.lengthBytes;
  return range.lengthBytes - missingBytes;
}
