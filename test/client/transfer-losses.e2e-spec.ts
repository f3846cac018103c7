import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  RangeSet,
  startTransfer,
  TransferError,
  type ByteRange,
  type DiskExtent,
  type DurableRanges,
  type WritableDisk,
} from '#sdk/transfer';

const blockBytes = 1024;
const sizeBytes = 8 * blockBytes;

/** Storage that keeps account of what it has, and forgets what was not flushed when it crashes. */
class ForgetfulDisk implements WritableDisk {
  readonly sizeBytes = sizeBytes;
  readonly growable = false;
  readonly stable = Buffer.alloc(sizeBytes);
  #volatile = Buffer.alloc(sizeBytes);
  #durable = new RangeSet();
  #received = new RangeSet();
  #generation = 1;
  writes = 0;

  /** @param crashes tells before each flush whether the disk crashes */
  constructor(private readonly crashes: () => boolean) {}

  async *extents(): AsyncGenerator<DiskExtent> {
    yield { offsetBytes: 0, lengthBytes: sizeBytes, zero: false };
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
    if (this.crashes()) {
      this.#volatile = Buffer.from(this.stable);
      this.#received = new RangeSet();
      this.#generation += 1;
    }
    for (const range of this.#received) this.#durable.add(range);
    this.stable.set(this.#volatile);
  }

  async durable(): Promise<DurableRanges> {
    return { ranges: [...this.#durable], generation: this.#generation };
  }

  async close(): Promise<void> {
    // There is nothing open.
  }
}

/** A disk with the same bytes in each run. */
function original(): ForgetfulDisk {
  const disk = new ForgetfulDisk(() => false);
  const bytes = Buffer.from(Array.from({ length: sizeBytes }, (_, index) => 1 + (index % 255)));
  void disk.write(bytes, 0);
  return disk;
}

describe('a transfer to a disk that loses what it has taken', () => {
  test('sends it again, and nothing else', async () => {
    const crashes = [true];
    const target = new ForgetfulDisk(() => crashes.pop() ?? false);
    const source = original();
    await startTransfer(source, target, { blockBytes, workers: 2 }).result;
    const expected = Buffer.alloc(sizeBytes);
    await source.read(expected, 0);
    assert.ok(target.stable.equals(expected));
    assert.equal(target.writes, 16);
  });

  test('gives up when it is lost again and again', async () => {
    const target = new ForgetfulDisk(() => true);
    const { result } = startTransfer(original(), target, { blockBytes, retriesMax: 2 });
    await assert.rejects(result, (error) => error instanceof TransferError && !error.details.retryable);
  });

  test('is not paused any more when it has ended', async () => {
    const transfer = startTransfer(original(), new ForgetfulDisk(() => false), { blockBytes });
    await transfer.result;
    transfer.pause();
    assert.equal(transfer.progress.phase, 'done');
  });
});
