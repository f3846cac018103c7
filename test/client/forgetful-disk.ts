import {
  RangeSet,
  type ByteRange,
  type DiskExtent,
  type DurableRanges,
  type WritableDisk,
} from '#sdk/transfer';

/** What a disk does before it flushes. With a new account it says of nothing that it has it. */
export type BeforeFlush = 'nothing' | 'crash' | 'crash with a new account';

/**
 * Storage that keeps account of what it has, and forgets what was not flushed when it crashes. As with a
 * service, the generation changes when something of the account was lost.
 */
export class ForgetfulDisk implements WritableDisk {
  readonly growable = false;
  readonly stable: Buffer;
  readonly #blockBytes: number;
  #volatile: Buffer;
  #durable = new RangeSet();
  #received = new RangeSet();
  #generation = 1;
  writes = 0;

  /** @param beforeFlush is asked before each flush */
  constructor(
    readonly sizeBytes: number,
    blockBytes: number,
    private readonly beforeFlush: () => BeforeFlush = () => 'nothing',
  ) {
    this.#blockBytes = blockBytes;
    this.stable = Buffer.alloc(sizeBytes);
    this.#volatile = Buffer.alloc(sizeBytes);
  }

  async *extents(): AsyncGenerator<DiskExtent> {
    for (let offsetBytes = 0; offsetBytes < this.sizeBytes; offsetBytes += this.#blockBytes) {
      const lengthBytes = Math.min(this.#blockBytes, this.sizeBytes - offsetBytes);
      const zero = !this.#volatile.subarray(offsetBytes, offsetBytes + lengthBytes).some(Boolean);
      yield { offsetBytes, lengthBytes, zero };
    }
  }

  async read(target: Uint8Array, offsetBytes: number): Promise<void> {
    target.set(this.#volatile.subarray(offsetBytes, offsetBytes + target.length));
  }

  async write(data: Uint8Array, offsetBytes: number): Promise<void> {
    this.writes += 1;
    this.#volatile.set(data, offsetBytes);
    this.#received.add({ offsetBytes, lengthBytes: data.length });
  }

  async zero({ offsetBytes, lengthBytes }: ByteRange): Promise<void> {
    await this.write(new Uint8Array(lengthBytes), offsetBytes);
  }

  async flush(): Promise<void> {
    const before = this.beforeFlush();
    if (before !== 'nothing') this.#crash(before);
    for (const range of this.#received) this.#durable.add(range);
    this.stable.set(this.#volatile);
  }

  async durable(): Promise<DurableRanges | undefined> {
    const receivedBytes = this.#received.coveredBytes;
    return { ranges: [...this.#durable], receivedBytes, generation: this.#generation };
  }

  async close(): Promise<void> {
    // There is nothing open.
  }

  /** What is there from before, of which no account is left. */
  holds(data: Uint8Array, isStable: boolean): void {
    this.#volatile.set(data);
    if (isStable) this.stable.set(data);
  }

  #crash(kind: BeforeFlush): void {
    this.#volatile = Buffer.from(this.stable);
    if (kind === 'crash with a new account') this.#durable = new RangeSet();
    else if (this.#received.coveredBytes > this.#durable.coveredBytes) this.#generation += 1;
    this.#received = RangeSet.of(this.#durable);
  }
}
