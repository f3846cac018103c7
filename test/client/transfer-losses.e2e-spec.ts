import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  AbortedError,
  startTransfer,
  StoppedError,
  TransferError,
  type StateStore,
  type TransferState,
} from '#sdk/transfer';
import { ForgetfulDisk, type BeforeFlush } from './forgetful-disk.js';

const blockBytes = 1024;
const sizeBytes = 8 * blockBytes;

/** A disk with the same bytes in each run; its second half is zero when `halfZero`. */
function original({ first = 1, halfZero = false } = {}): ForgetfulDisk {
  const disk = new ForgetfulDisk(sizeBytes, blockBytes);
  const byteAt = (index: number): number =>
    halfZero && index >= sizeBytes / 2 ? 0 : first + (index % (255 - first));
  disk.holds(Buffer.from(Array.from({ length: sizeBytes }, (_, index) => byteAt(index))), true);
  return disk;
}

/** Does one after the other at its flushes, the first of which is before anything is written. */
function target(...beforeFlushes: BeforeFlush[]): ForgetfulDisk {
  return new ForgetfulDisk(sizeBytes, blockBytes, () => beforeFlushes.shift() ?? 'nothing');
}

class MemoryState implements StateStore {
  saved: TransferState | undefined;
  async load(): Promise<TransferState | undefined> {
    return this.saved;
  }
  async save(state: TransferState): Promise<void> {
    this.saved = structuredClone(state);
  }
  async remove(): Promise<void> {
    this.saved = undefined;
  }
}

describe('a transfer to a disk that loses what it has taken', () => {
  test('sends it again, and nothing else', async () => {
    const disk = target('nothing', 'crash');
    const source = original();
    await startTransfer(source, disk, { blockBytes, workers: 2 }).result;
    assert.ok(disk.stable.equals(source.stable));
    assert.equal(disk.writes, 16);
  });

  test('sends it again where the disk has begun a new account since', async () => {
    const disk = target('nothing', 'crash with a new account');
    const source = original();
    await startTransfer(source, disk, { blockBytes }).result;
    assert.ok(disk.stable.equals(source.stable));
  });

  test('gives up when it is lost again and again', async () => {
    const disk = new ForgetfulDisk(sizeBytes, blockBytes, () => 'crash');
    const { result } = startTransfer(original(), disk, { blockBytes, retriesMax: 2 });
    await assert.rejects(result, (error) => error instanceof TransferError && !error.details.retryable);
  });

  test('writes zeroes where they are only seen, but not on stable storage yet', async () => {
    const source = original({ halfZero: true });
    const disk = target('nothing', 'crash');
    disk.holds(Buffer.alloc(sizeBytes, 'x'), true);
    // By a run before, whose account is gone.
    disk.holds(source.stable, false);
    await startTransfer(source, disk, { blockBytes }).result;
    assert.ok(disk.stable.equals(source.stable));
  });

  test('is not paused any more when it has ended', async () => {
    const transfer = startTransfer(original(), target(), { blockBytes });
    await transfer.result;
    transfer.pause();
    assert.equal(transfer.progress.phase, 'done');
  });
});

describe('a transfer to a disk whose account has what another one wrote', () => {
  test('writes all of it again when it goes on after an interruption', async () => {
    const disk = target();
    await startTransfer(original({ first: 7 }), disk, { blockBytes }).result;
    const state = new MemoryState();
    const source = original();
    const first = startTransfer(source, disk, { blockBytes, state, bytesPerSecond: 1 });
    for await (const { phase } of first) if (phase === 'transferring') first.abort();
    await assert.rejects(first.result, AbortedError);
    assert.notEqual(state.saved, undefined);
    await startTransfer(source, disk, { blockBytes, state }).result;
    assert.ok(disk.stable.equals(source.stable));
  });
});

test('zeroes that a target without an account had are there for a later run too', async () => {
  const halfBytes = 256 * 1024;
  class LocalDisk extends ForgetfulDisk {
    override async durable(): Promise<undefined> {
      return undefined;
    }
  }
  const source = new ForgetfulDisk(4 * halfBytes, 2 * halfBytes);
  for (const half of [0, 2]) source.stable.fill('x', half * halfBytes, (half + 1) * halfBytes);
  source.holds(source.stable, true);
  const disk = new LocalDisk(source.sizeBytes, 2 * halfBytes);
  const state = new MemoryState();
  const options = { blockBytes: 2 * halfBytes, workers: 1, state };
  const transfer = startTransfer(source, disk, { ...options, bytesPerSecond: 2 * halfBytes });
  for await (const { dataBytes } of transfer) if (dataBytes > 0) transfer.stop();
  await assert.rejects(transfer.result, StoppedError);
  const { resumedBytes } = await startTransfer(source, disk, options).result;
  assert.ok(resumedBytes >= 2 * halfBytes);
  assert.ok(disk.stable.equals(source.stable));
});
