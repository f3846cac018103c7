import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { NodeTransport } from '#sdk';
import {
  AbortedError,
  StoppedError,
  HttpImage,
  startTransfer,
  VerificationError,
  type ReadableDisk,
  type StateStore,
  type TransferState,
} from '#sdk/transfer';
import { GiB, MiB } from '../../src/base/units.js';
import { BackendDisk } from '../../src/client/backend-disk.js';
import { FileSource } from '../../src/images/backends/file/file-source.js';
import { Deployment } from '../e2e/deployment.js';
import { assertSameImage, writeRandomImage, writeSparseImage } from '../support/images.js';

const files = new FileSource({ warn: () => undefined, threadCount: 4, allowedRoots: [] });

async function fileDisk(path: string, writable = false): Promise<BackendDisk> {
  return BackendDisk.of(await files.open({ url: `file://${path}`, writable, sparse: true, dirty: false }));
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

describe('a transfer of the library', () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await Deployment.start();
  });
  after(() => deployment[Symbol.asyncDispose]());

  async function remoteImage(
    operation: 'read' | 'write',
    path: string,
    sizeBytes: number,
  ): Promise<HttpImage> {
    const ticket = await deployment.addTicket(operation, path, sizeBytes);
    const address = deployment.daemon.address('remote');
    assert.ok(address.kind === 'tls');
    const transport = new NodeTransport({ baseUrl: deployment.daemon.url, ca: address.ca });
    return HttpImage.open(transport, `/images/${ticket}`, AbortSignal.timeout(10_000));
  }

  const emptyImage = async (sizeBytes: number): Promise<string> => {
    const path = deployment.folder.file(randomUUID());
    const file = await open(path, 'w');
    await file.truncate(sizeBytes);
    await file.close();
    return path;
  };

  for (const sizeBytes of [0, 1, 511, 4 * MiB, 21 * MiB + 12_345]) {
    test(`uploads, downloads and verifies ${sizeBytes} bytes`, async () => {
      const original = deployment.folder.file(`original-${sizeBytes}`);
      await writeRandomImage(original, sizeBytes);
      const uploaded = await emptyImage(sizeBytes);
      await using stack = new AsyncDisposableStack();
      const source = await fileDisk(original);
      stack.defer(() => source.close());
      const target = await remoteImage('write', uploaded, sizeBytes);
      stack.defer(() => target.close());
      const { phase, dataBytes } = await startTransfer(source, target, { verify: true }).result;
      assert.equal(phase, 'done');
      assert.equal(dataBytes, sizeBytes);
      await assertSameImage(uploaded, original);

      const downloaded = await emptyImage(sizeBytes);
      const back = await remoteImage('read', uploaded, sizeBytes);
      stack.defer(() => back.close());
      const file = await fileDisk(downloaded, true);
      stack.defer(() => file.close());
      await startTransfer(back, file, { verify: true }).result;
      await assertSameImage(downloaded, original);
    });
  }

  test('sends no zeroes to a target that has zeroes, and keeps holes', async () => {
    const original = deployment.folder.file('sparse');
    await writeSparseImage(original, 100 * GiB, [
      { offsetBytes: 0, lengthBytes: MiB },
      { offsetBytes: 50 * GiB + 4096, lengthBytes: 3 * MiB },
    ]);
    const uploaded = await emptyImage(100 * GiB);
    const source = await fileDisk(original);
    const target = await remoteImage('write', uploaded, 100 * GiB);
    const { sentBytes } = await startTransfer(source, target).result;
    assert.ok(sentBytes <= 6 * MiB, `${sentBytes} bytes sent`);
    assert.ok((await stat(uploaded)).blocks * 512 <= 8 * MiB);
    assert.equal(await firstDifference(source, await fileDisk(uploaded)), undefined);
  });

  test('pauses, goes on, and tells its progress', async () => {
    const original = deployment.folder.file('paused');
    await writeRandomImage(original, 16 * MiB);
    const uploaded = await emptyImage(16 * MiB);
    const transfer = startTransfer(await fileDisk(original), await remoteImage('write', uploaded, 16 * MiB), {
      workers: 1,
      blockBytes: MiB,
    });
    transfer.pause();
    const phases = new Set<string>();
    for await (const { phase } of transfer) {
      phases.add(phase);
      if (phase === 'paused') transfer.resume();
    }
    await transfer.result;
    assert.ok(phases.has('paused') && phases.has('done'), [...phases].join());
    await assertSameImage(uploaded, original);
  });

  test('goes on after it was given up, from what was flushed', async () => {
    const original = deployment.folder.file('resumed');
    await writeRandomImage(original, 32 * MiB);
    const uploaded = await emptyImage(32 * MiB);
    const state = new MemoryState();
    const options = {
      workers: 2,
      blockBytes: MiB,
      state,
      sourceIdentity: 'resumed',
      bytesPerSecond: 32 * MiB,
    };
    const first = startTransfer(
      await fileDisk(original),
      await remoteImage('write', uploaded, 32 * MiB),
      options,
    );
    for await (const { sentBytes } of first) if (sentBytes > 8 * MiB) break;
    first.stop();
    await assert.rejects(first.result, StoppedError);
    assert.equal(first.progress.phase, 'stopped');
    const durableBytes = state.saved!.durable.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    assert.ok(durableBytes > 8 * MiB);
    const second = startTransfer(await fileDisk(original), await remoteImage('write', uploaded, 32 * MiB), {
      ...options,
      verify: true,
    });
    const { sentBytes } = await second.result;
    assert.equal(sentBytes, 32 * MiB - durableBytes);
    assert.equal(state.saved, undefined);
    await assertSameImage(uploaded, original);
  });

  test('ends at once when it is given up', async () => {
    const original = deployment.folder.file('aborted');
    await writeRandomImage(original, 8 * MiB);
    const target = await remoteImage('write', await emptyImage(8 * MiB), 8 * MiB);
    const transfer = startTransfer(await fileDisk(original), target, { bytesPerSecond: MiB });
    for await (const { phase } of transfer) if (phase === 'transferring') transfer.abort();
    await assert.rejects(transfer.result, AbortedError);
  });

  test('refuses to go on with a source that has changed', async () => {
    const original = deployment.folder.file('changed');
    await writeRandomImage(original, MiB);
    const state = new MemoryState();
    state.saved = {
      version: 1,
      sizeBytes: MiB,
      sourceIdentity: 'before',
      targetIdentity: '',
      durable: [],
    };
    const target = await remoteImage('write', await emptyImage(MiB), MiB);
    const transfer = startTransfer(await fileDisk(original), target, { state, sourceIdentity: 'after' });
    await assert.rejects(transfer.result, /has changed/);
  });

  test('names the first block that differs', async () => {
    const original = deployment.folder.file('differs');
    await writeRandomImage(original, 8 * MiB);
    const uploaded = await emptyImage(8 * MiB);
    const target = await remoteImage('write', uploaded, 8 * MiB);
    const flip = async (): Promise<void> => {
      const file = await open(uploaded, 'r+');
      await file.write(Buffer.from([0xff, 0x00, 0xff]), 0, 3, 5 * MiB);
      await file.close();
    };
    const flush = target.flush.bind(target);
    target.flush = async (signal) => {
      await flush(signal);
      await flip();
    };
    const transfer = startTransfer(await fileDisk(original), target, { verify: true, blockBytes: MiB });
    await assert.rejects(transfer.result, VerificationError);
  });
});

async function firstDifference(one: ReadableDisk, other: ReadableDisk): Promise<number | undefined> {
  const signal = AbortSignal.timeout(20_000);
  for await (const { offsetBytes, lengthBytes, zero } of one.extents(signal)) {
    if (zero) continue;
    for (let done = 0; done < lengthBytes; done += MiB) {
      const pieces = [one, other].map(async (disk) => {
        const data = new Uint8Array(Math.min(MiB, lengthBytes - done));
        await disk.read(data, offsetBytes + done, signal);
        return data;
      });
      const [first, second] = await Promise.all(pieces);
      if (Buffer.compare(first!, second!) !== 0) return offsetBytes + done;
    }
  }
  return undefined;
}
