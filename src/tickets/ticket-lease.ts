import type { Lease, ProgressListener } from '../base/lease.js';
import type { ByteRange } from '../base/units.js';
import type { OperationKind } from '../contract/operation-kind.js';
import { RangeSet } from './range-set.js';
import type { HeldChanges, ReceivedRanges } from './received-ranges.js';
import type { OrderedWrite } from './write-order.js';

/** What the ticket that a lease is of wants to hear from it. */
export interface LeaseOwner {
  /** Which bytes the ticket has brought to the image. */
  readonly received: ReceivedRanges;
  progressed(lease: TicketLease, range: ByteRange): void;
  /** So many bytes have moved, whether they count or not. */
  moved(lengthBytes: number): void;
  /** Has everything that was received before made durable by `flush`. @throws what `flush` throws */
  flush(flush: () => Promise<void>): Promise<void>;
  ended(lease: TicketLease): void;
}

export interface TicketLeaseOptions {
  /** All of the image that the operation may change; absent when it changes nothing. */
  readonly changes?: ByteRange | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/** What was transferred and does not count before `confirm`. */
interface HeldBack {
  readonly ranges: RangeSet;
  readonly changes: HeldChanges;
}

/**
 * One running operation of a ticket. Whoever runs it checks `signal` between two I/Os and calls `end()`
 * only when no I/O of it is under way any more: removing a ticket waits for exactly that.
 */
export class TicketLease implements Lease {
  #overtakenBytes = 0;
  #ended = false;
  /** Absent when all counts at once. */
  #heldBack: HeldBack | undefined;

  /**
   * @param signal of its root
   * @param write its place among the requests that change the image; absent for one that does not
   */
  constructor(
    private readonly owner: LeaseOwner,
    readonly kind: OperationKind,
    readonly signal: AbortSignal,
    private readonly write?: OrderedWrite,
    private readonly onProgress?: ProgressListener,
  ) {}

  /** Bytes that were dropped because younger requests have written theirs. */
  get overtakenBytes(): number {
    return this.#overtakenBytes;
  }

  /**
   * Changes `range` of the image by `change`, except for what younger requests have written of it: that is
   * dropped. `change` is called for each part that is left, whose progress is then reported. It is not
   * called any more once the signal has aborted.
   * @param options.zero the range is zeroed
   */
  async change(
    range: ByteRange,
    change: (part: ByteRange) => Promise<void>,
    { zero = false }: { readonly zero?: boolean } = {},
  ): Promise<void> {
    if (this.write === undefined) throw new Error(`A ${this.kind} was not registered to change the image`);
    let leftBytes = range.lengthBytes;
    await this.write.apply(range, this.signal, async (part) => {
      const held = this.#heldBack?.changes;
      await this.owner.received.change(part, { zero, held }, () => change(part));
      leftBytes -= part.lengthBytes;
      this.progressed(part);
    });
    this.#overtakenBytes += leftBytes;
  }

  /** Has everything that was received before made durable by `flush`. @throws what `flush` throws */
  async flush(flush: () => Promise<void>): Promise<void> {
    await this.owner.flush(flush);
  }

  progressed(range: ByteRange): void {
    if (this.#heldBack === undefined) {
      this.owner.progressed(this, range);
    } else {
      this.#heldBack.ranges.add(range.offsetBytes, range.offsetBytes + range.lengthBytes);
      this.owner.moved(range.lengthBytes);
    }
    this.onProgress?.(range);
  }

  /** A part of the request has come that nothing was done with yet: the ticket is in use. */
  moved(): void {
    this.owner.moved(0);
  }

  holdBack(): void {
    this.#heldBack ??= { ranges: new RangeSet(), changes: this.owner.received.holdBack() };
  }

  /**
   * What younger requests have written meanwhile is theirs to count.
   * @throws UnavailableError when that was in too many places to know
   */
  confirm(): void {
    if (this.#heldBack === undefined) return;
    const { ranges, changes } = this.#heldBack;
    for (const [start, end] of ranges) {
      const range = { offsetBytes: start, lengthBytes: end - start };
      for (const part of this.write?.left(range) ?? [range]) this.#count(part, changes);
    }
    this.owner.received.release(changes);
    this.#heldBack = undefined;
  }

  #count(range: ByteRange, changes: HeldChanges): void {
    // A relayed request has changed the image of another host, whose daemon keeps the account.
    if (this.write !== undefined) this.owner.received.confirm(changes, range);
    this.owner.progressed(this, range);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#heldBack !== undefined) this.owner.received.release(this.#heldBack.changes);
    this.write?.end();
    this.owner.ended(this);
  }
}
