import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  RangeSet,
  startTransfer,
  StoppedError,
  TransferError,
  type BlockDigest,
  type ByteRange,
  type DiskExtent,
  type HashingDisk,
} from '#sdk/transfer';
import { sha256 } from '#sdk/transfer/hashing';
import { Retrier } from '#sdk/transfer/retry';
import { SeededRandom } from '../support/random.js';
import { ForgetfulDisk } from './forgetful-disk.js';

const blockBytes = 1024;
const sizeBytes = 8 * blockBytes;
const never = new AbortController().signal;

function away(): TransferError {
  return new TransferError('The service is away', { retryable: true });
}

function original(): ForgetfulDisk {
  const disk = new ForgetfulDisk(sizeBytes, blockBytes);
  disk.holds(Buffer.from(Array.from({ length: sizeBytes }, (_, index) => 1 + (index % 255))), true);
  return disk;
}

/** A disk whose service goes away in the middle of what it tells, the first time. */
class InterruptedDisk extends ForgetfulDisk implements HashingDisk {
  extentLists = 0;
  digestLists = 0;
  digestedBlocks = 0;

  override async *extents(): AsyncGenerator<DiskExtent> {
    const isFirst = this.extentLists++ === 0;
    let told = 0;
    for await (const extent of super.extents()) {
      if (isFirst && told++ === 3) throw away();
      yield extent;
    }
  }

  async digests(
    _algorithm: string,
    _blockBytes: number,
    range: ByteRange,
  ): Promise<AsyncIterable<BlockDigest>> {
    return this.#digests(range, this.digestLists++ === 0);
  }

  async checksum(): Promise<undefined> {
    return undefined;
  }

  async *#digests(
    { offsetBytes: start, lengthBytes }: ByteRange,
    isFirst: boolean,
  ): AsyncGenerator<BlockDigest> {
    for (let offsetBytes = start; offsetBytes < start + lengthBytes; offsetBytes += blockBytes) {
      this.digestedBlocks += 1;
      if (isFirst && offsetBytes > start + 2 * blockBytes) throw away();
      const block = this.stable.subarray(offsetBytes, offsetBytes + blockBytes);
      const digest = Buffer.from(await sha256.digest(block)).toString('hex');
      yield { offsetBytes, lengthBytes: blockBytes, digest };
    }
  }
}

describe('a transfer whose service goes away', () => {
  test('takes what all workers fail with at once for one failure', async () => {
    const retrier = new Retrier({ retriesMax: 3 });
    const backAt = performance.now() + 300;
    const work = async (): Promise<true> => {
      if (performance.now() < backAt) throw away();
      return true;
    };
    const outcomes = Array.from({ length: 64 }, () => retrier.run(never, work));
    assert.equal((await Promise.all(outcomes)).length, 64);
  });

  test('gives up after so many failures, one after the other', async () => {
    let tries = 0;
    const retrier = new Retrier({ retriesMax: 2 });
    const failing = retrier.run(never, async () => {
      tries += 1;
      throw away();
    });
    await assert.rejects(failing, /is away/);
    assert.equal(tries, 3);
  });

  test('asks again for extents and digests where they broke off', async () => {
    const source = original();
    const disk = new InterruptedDisk(sizeBytes, blockBytes);
    const { verifiedBytes } = await startTransfer(source, disk, { blockBytes, workers: 2, verify: true })
      .result;
    assert.ok(disk.stable.equals(source.stable));
    assert.deepEqual([disk.extentLists, disk.digestLists, verifiedBytes], [2, 2, sizeBytes]);
    // The three before the break are known, and the one where it broke off is asked for again.
    assert.equal(disk.digestedBlocks, sizeBytes / blockBytes + 1);
  });

  test('stops when it is told to, and does not wait for the service', async () => {
    class AwayDisk extends ForgetfulDisk {
      override async write(): Promise<void> {
        throw away();
      }
    }
    const transfer = startTransfer(original(), new AwayDisk(sizeBytes, blockBytes), {
      blockBytes,
      retriesMax: 1000,
    });
    for await (const { retries } of transfer) if (retries > 0) transfer.stop();
    await assert.rejects(transfer.result, StoppedError);
    assert.equal(transfer.progress.phase, 'stopped');
  });
});

test('the parts and the gaps of a range in a set are all of the range', () => {
  const random = new SeededRandom(3);
  for (let round = 0; round < 200; round++) {
    const rangeIn = (): { offsetBytes: number; lengthBytes: number } => ({
      offsetBytes: random.below(50),
      lengthBytes: random.below(20),
    });
    const set = RangeSet.of(Array.from({ length: random.below(6) }, rangeIn));
    const range = rangeIn();
    const parts = [...set.parts(range)];
    assert.ok(parts.every((part) => set.has(part) && part.lengthBytes > 0));
    const pieces = [...parts, ...set.gaps(range)].toSorted(
      (one, other) => one.offsetBytes - other.offsetBytes,
    );
    let endBytes = range.offsetBytes;
    for (const { offsetBytes, lengthBytes } of pieces) {
      assert.equal(offsetBytes, endBytes);
      endBytes += lengthBytes;
    }
    assert.equal(endBytes, range.offsetBytes + range.lengthBytes);
  }
});
