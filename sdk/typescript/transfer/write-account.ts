import { RangeSet, type ByteRange } from './byte-ranges.js';
import type { DurableRanges } from './disk.js';

/** What a transfer has written to its target, and what of that is on stable storage. */
export class WriteAccount {
  /** Written by this run or, as far as that was found there, by one before. */
  readonly #durable = new RangeSet();
  /** Written since the last flush began. */
  #written = new RangeSet();
  /** Zero on the target, so it was not written. */
  #found = new RangeSet();
  /** Of the target, where it tells one. */
  #generation: number | undefined;
  #losses = 0;

  get durable(): RangeSet {
    return this.#durable;
  }

  /** How often something that the target had taken was not there any more. */
  get losses(): number {
    return this.#losses;
  }

  /**
   * @param known what the target says before anything is written
   * @param there what is there from a run before
   */
  begin(known: DurableRanges | undefined, there: Iterable<ByteRange>): void {
    this.#generation = known?.generation;
    for (const range of there) this.#durable.add(range);
  }

  wrote(range: ByteRange): void {
    this.#written.add(range);
  }

  /** It need not be written: the target has zeroes there, on stable storage. */
  found(range: ByteRange): void {
    this.#found.add(range);
  }

  /**
   * What was written before it began is durable then. Where the target keeps account, that is believed: of
   * what was written, and of nothing else, because others may have written too.
   * @param ask for what the target knows when it was flushed
   * @throws what the two throw
   */
  async flush(flush: () => Promise<void>, ask: () => Promise<DurableRanges | undefined>): Promise<void> {
    const [written, found] = [this.#written, this.#found];
    this.#written = new RangeSet();
    this.#found = new RangeSet();
    await flush();
    const known = await ask();
    if (known === undefined) {
      for (const range of [...written, ...found]) this.#durable.add(range);
      return;
    }
    // What was found is in no account, and is found again by a later run.
    const account = RangeSet.of(known.ranges);
    let isWhole = known.generation === this.#generation;
    this.#generation = known.generation;
    for (const range of written) {
      for (const part of account.parts(range)) this.#durable.add(part);
      // A service that was restarted may have begun a new account, with the first number again.
      if (!account.has(range)) isWhole = false;
    }
    if (!isWhole) this.#losses += 1;
  }
}
