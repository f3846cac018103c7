import { UnavailableError } from '../base/errors.js';
import { overlap, type ByteRange } from '../base/units.js';
import { RangeSet } from './range-set.js';

/**
 * In how many separate places a running request may have been overtaken: bounds its memory against a client
 * that leaves an upload hanging and writes every other block. A retry overtakes in one place, and parallel
 * connections of one client do not overlap at all.
 */
const overtakenRangesMax = 4096;
/** A client can try again at once: its new request is then the youngest, and overtakes the others. */
const retryAfterSeconds = 1;

/**
 * The order in which the running requests of one ticket change its image.
 *
 * A client that lost its connection sends its data again, or something newer, while the service still takes
 * the old request for running: some of it lies in a buffer here, in the kernel's buffer of the old socket or
 * on the way, and would be written over what the newer request has been acknowledged for. So each byte
 * belongs to the youngest request that has written it, and what an older one still brings for it is dropped,
 * whenever it arrives: bytes that lay in the kernel cannot be told from bytes that the client sends only
 * now. The older request may succeed all the same, since the image then is as if its bytes had been written
 * a moment before those that replaced them.
 *
 * A request is younger than those that began before it. A byte is dropped only once its replacement is in
 * storage: where a younger request fails or never comes to, the older one goes on to write. Nobody waits for
 * a client, only for a change of the same bytes that storage is busy with; requests that do not overlap know
 * nothing of each other.
 */
export class WriteOrder {
  /** In the order in which they began. */
  readonly #running = new Set<OrderedWrite>();
  readonly #changes = new Set<Change>();

  /** A request begins that may change `range` and nothing else; the caller ends it whatever happens. */
  begin(range: ByteRange): OrderedWrite {
    const write = new OrderedWrite(range, this.#running, this.#changes);
    this.#running.add(write);
    return write;
  }
}

/** Something that storage is busy with. */
interface Change {
  readonly write: OrderedWrite;
  readonly range: ByteRange;
  /** Settles when storage has answered; never rejects. */
  readonly settled: Promise<undefined>;
}

/** One running request that changes the image. */
export class OrderedWrite {
  /** What younger requests have written; made only when there are any. */
  #overtaken: RangeSet | undefined;
  #overrun = false;

  /**
   * @param running of the ticket, this one included while it runs
   * @param changes of all of them
   */
  constructor(
    private readonly range: ByteRange,
    private readonly running: Set<OrderedWrite>,
    private readonly changes: Set<Change>,
  ) {}

  /**
   * Changes `range`, or what of it no younger request has written, by `change`, which is called for each
   * part that is left. Resolves when that is done and everything that replaces the rest is in storage.
   * @param signal nothing is begun once it has aborted; its reason is what this rejects with
   * @throws UnavailableError when it was overtaken in too many places, and whatever `change` throws
   */
  async apply(
    range: ByteRange,
    signal: AbortSignal,
    change: (part: ByteRange) => Promise<void>,
  ): Promise<void> {
    signal.throwIfAborted();
    for (let other = this.#changeOfOther(range); other !== undefined; other = this.#changeOfOther(range)) {
      await other.settled;
      signal.throwIfAborted();
    }
    this.#throwIfOverrun();
    const { promise: settled, resolve: settle } = Promise.withResolvers<undefined>();
    const running = { write: this, range, settled };
    // Nothing was awaited since the last look at the others, or one of them could have slipped in between.
    this.changes.add(running);
    try {
      for (const part of this.left(range)) await change(part);
      this.#overtakeOlder(range);
    } finally {
      this.changes.delete(running);
      settle(undefined);
    }
  }

  /**
   * The parts of `range` that no younger request has written.
   * @throws UnavailableError when it was overtaken in too many places
   */
  left(range: ByteRange): readonly ByteRange[] {
    this.#throwIfOverrun();
    if (this.#overtaken === undefined) return [range];
    return this.#overtaken
      .gaps(range.offsetBytes, range.offsetBytes + range.lengthBytes)
      .map(([start, end]) => ({ offsetBytes: start, lengthBytes: end - start }));
  }

  /** It changes nothing any more. Idempotent. */
  end(): void {
    this.running.delete(this);
  }

  #throwIfOverrun(): void {
    if (!this.#overrun) return;
    throw new UnavailableError('Overtaken by too many newer writes', { retryAfterSeconds });
  }

  #changeOfOther(range: ByteRange): Change | undefined {
    for (const change of this.changes)
      if (change.write !== this && overlap(change.range, range)) return change;
    return undefined;
  }

  #overtakeOlder(range: ByteRange): void {
    for (const older of this.running) {
      if (older === this) return;
      older.#overtakenAt(range);
    }
  }

  #overtakenAt({ offsetBytes, lengthBytes }: ByteRange): void {
    const start = Math.max(offsetBytes, this.range.offsetBytes);
    const end = Math.min(offsetBytes + lengthBytes, this.range.offsetBytes + this.range.lengthBytes);
    if (start >= end || this.#overrun) return;
    this.#overtaken ??= new RangeSet();
    this.#overtaken.add(start, end);
    if (this.#overtaken.count <= overtakenRangesMax) return;
    this.#overrun = true;
    this.#overtaken = undefined;
  }
}
