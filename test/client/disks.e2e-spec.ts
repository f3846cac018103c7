import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { Readable, Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { NodeTransport } from '#sdk';
import { BlobDisk, HttpImage, startTransfer } from '#sdk/transfer';
import { MiB } from '../../src/base/units.js';
import { LocalDisk } from '../../src/client/local-disk.js';
import { InputDisk, OutputDisk } from '../../src/client/stream-disk.js';
import { Deployment } from '../e2e/deployment.js';
import { missing, Workspace } from '../nbd/servers.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { describeReadableDisk, describeWritableDisk } from './disk-conformance.js';

const everything = new AsyncDisposableStack();
let folder: TemporaryFolder;
let workspace: Workspace;
let deployment: Deployment;
before(async () => {
  folder = everything.use(await TemporaryFolder.create());
  workspace = everything.use(await Workspace.create());
  deployment = everything.use(await Deployment.start());
});
after(() => everything.disposeAsync());

/** A file with holes where there are zeroes. */
async function sparseFile(bytes: Buffer): Promise<string> {
  const path = folder.file(randomUUID());
  await using file = await open(path, 'w');
  await file.truncate(bytes.length);
  const blockBytes = 64 * 1024;
  for (let offset = 0; offset < bytes.length; offset += blockBytes) {
    const block = bytes.subarray(offset, offset + blockBytes);
    if (block.some((byte) => byte !== 0)) await file.write(block, 0, block.length, offset);
  }
  return path;
}

const anySize = { sizeMultipleBytes: 1, reportsZeroes: true };

async function localFixture(place: string, file: string) {
  const local = await LocalDisk.openTarget(place, {
    format: 'raw',
    sizeBytes: 0,
    mayExist: true,
    beforeMade: async () => undefined,
  });
  return {
    disk: local.disk,
    readRaw: () => readFile(file),
    close: async () => {
      await local[Symbol.asyncDispose]();
      await rm(file);
    },
  };
}

describeWritableDisk(
  'A file of this host',
  async (bytes) => {
    const path = await sparseFile(bytes);
    return localFixture(path, path);
  },
  anySize,
);

describeWritableDisk(
  'An NBD export',
  async (bytes) => {
    const path = await sparseFile(bytes);
    const server = await workspace.qemuNbd('--format=raw', '--discard=unmap', path);
    const fixture = await localFixture(`nbd+unix:///?socket=${server.socketPath}`, path);
    return {
      ...fixture,
      close: async () => {
        await fixture.close();
        await server.stop();
      },
    };
  },
  { sizeMultipleBytes: 512, reportsZeroes: true, skip: missing('qemu-nbd') },
);

describeWritableDisk(
  'An image of a service',
  async (bytes) => {
    const path = await sparseFile(bytes);
    const ticket = await deployment.addTicket('write', path, bytes.length, { sparse: true });
    const address = deployment.daemon.address('remote');
    assert.ok(address.kind === 'tls');
    const transport = new NodeTransport({ baseUrl: deployment.daemon.url, ca: address.ca });
    return {
      disk: await HttpImage.open(transport, `/images/${ticket}`, AbortSignal.timeout(10_000)),
      readRaw: () => readFile(path),
      close: async () => {
        await transport.close();
        await rm(path);
      },
    };
  },
  anySize,
);

describeReadableDisk(
  'A blob',
  async (bytes) => {
    const path = await sparseFile(bytes);
    return {
      disk: new BlobDisk(await openAsBlob(path)),
      readRaw: () => readFile(path),
      close: () => rm(path),
    };
  },
  { sizeMultipleBytes: 1, reportsZeroes: false },
);

describe('A stream as a disk', () => {
  test('goes through to another, whole and in order, whatever its chunks', async () => {
    const bytes = Buffer.alloc(3 * MiB + 77, 'stream');
    bytes.fill(0, MiB, 2 * MiB);
    const chunks = [1, 70_000, MiB + 5, 2 * MiB, bytes.length].map((end, index, ends) =>
      bytes.subarray(ends[index - 1] ?? 0, end),
    );
    const received: Buffer[] = [];
    const output = new Writable({
      write(chunk: Buffer, _, done) {
        received.push(Buffer.from(chunk));
        done();
      },
    });
    const input = new InputDisk(Readable.from(chunks), bytes.length);
    const target = new OutputDisk(output, bytes.length);
    await startTransfer(input, target, { workers: 1, blockBytes: MiB }).result;
    await input.end();
    assert.ok(bytes.equals(Buffer.concat(received)));
  });

  test('cannot be read twice, nor out of order', async () => {
    const input = new InputDisk(Readable.from([Buffer.alloc(100, 1)]), 100);
    await input.read(new Uint8Array(50), 0);
    await assert.rejects(input.read(new Uint8Array(10), 0), /only once and in order/);
    await assert.rejects(input.read(new Uint8Array(10), 60), /only once and in order/);
    await input.close();
  });
});
