import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { systemClock } from '../../src/base/clock.js';
import type { Backend } from '../../src/images/backends/backend.js';
import { NbdSource } from '../../src/images/backends/nbd/nbd-source.js';
import { unflushedWrites } from '../../src/images/transfer/open-images.js';
import { Ticket } from '../../src/tickets/ticket.js';
import { eventually } from '../support/deadline.js';
import { ticketDefinition } from '../support/tickets.js';
import { missing, Workspace, type NbdServer } from './servers.js';

/** A ticket for an image that nbdkit keeps in its memory: when it is killed, all of that is gone. */
class UploadUnderTest implements AsyncDisposable {
  readonly #backends: Backend[] = [];

  private constructor(
    private readonly workspace: Workspace,
    readonly server: NbdServer,
    readonly ticket: Ticket,
  ) {}

  /** @param args of nbdkit; by default it has an image in memory */
  static async start(...args: readonly string[]): Promise<UploadUnderTest> {
    const workspace = await Workspace.create();
    const server = await workspace.nbdkit(...(args.length > 0 ? args : ['memory', '1M']));
    const ticket = new Ticket(ticketDefinition({ url: server.url, size: BigInt(MiB) }), systemClock, {
      rangesMax: 100,
    });
    return new UploadUnderTest(workspace, server, ticket);
  }

  async open(): Promise<Backend> {
    const source = new NbdSource({ connectTimeoutSeconds: 10 });
    const request = { url: this.server.url, writable: true, sparse: false, dirty: false };
    const backend = await source.open({ ...request, ...unflushedWrites(this.ticket) });
    this.#backends.push(backend);
    return backend;
  }

  async write(backend: Backend, offsetBytes: number): Promise<void> {
    const range = { offsetBytes, lengthBytes: 4096 };
    await this.ticket.received.change(range, { zero: false }, () =>
      backend.write(Buffer.alloc(4096, 'x'), offsetBytes),
    );
  }

  /** Bytes that are received, and of these the durable ones. */
  get account(): readonly [number, number] {
    const { receivedBytes, durableBytes } = this.ticket.received;
    return [receivedBytes, durableBytes];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#backends.map((backend) => backend.close()));
    await this.workspace[Symbol.asyncDispose]();
  }
}

describe('what was written to an NBD server and not flushed', { skip: missing('nbdkit') }, () => {
  test('is taken back when the server goes, and what was flushed is not', async () => {
    await using upload = await UploadUnderTest.start();
    const image = await upload.open();
    await upload.write(image, 0);
    await upload.ticket.flush(() => image.flush());
    await upload.write(image, 4096);
    const { generation } = upload.ticket.received;
    assert.deepEqual(upload.account, [8192, 4096]);
    await upload.server.stop();
    await eventually(() => upload.account[0] === 4096 || undefined, 'what was not flushed is taken back');
    assert.deepEqual(upload.account, [4096, 4096]);
    assert.notEqual(upload.ticket.received.generation, generation);
  });

  test('is not made durable by a flush of the server that comes after it', async () => {
    await using upload = await UploadUnderTest.start();
    const idle = await upload.open();
    await upload.write(idle, 0);
    await upload.server.stop();
    await upload.server.start();
    const other = await upload.open();
    await upload.ticket.flush(() => other.flush());
    assert.deepEqual(upload.account, [0, 0]);
  });

  test('is flushed before the image is closed, also what was still under way', async () => {
    await using upload = await UploadUnderTest.start('--filter=delay', 'memory', '1M', 'wdelay=50ms');
    const image = await upload.open();
    await upload.write(image, 0);
    const underWay = upload.write(image, 4096);
    await image.close();
    await underWay;
    assert.deepEqual(upload.account, [8192, 8192]);
  });

  test('is taken back when that flush fails', async () => {
    await using upload = await UploadUnderTest.start(
      'eval',
      'get_size=echo 1M',
      'pread=head -c $3 /dev/zero',
      'pwrite=cat >/dev/null',
      'flush=echo EIO >&2; exit 1',
    );
    const image = await upload.open();
    await upload.write(image, 0);
    await assert.rejects(image.close());
    assert.deepEqual(upload.account, [0, 0]);
  });

  test('is left as it is when the ticket is being removed', async () => {
    await using upload = await UploadUnderTest.start();
    const image = await upload.open();
    await upload.write(image, 0);
    upload.ticket.cancel();
    await image.close();
    assert.deepEqual(upload.account, [4096, 0]);
  });

  test('outlives the end of an operation during which nothing was asked of the server', async () => {
    await using upload = await UploadUnderTest.start();
    const image = await upload.open();
    await upload.write(image, 0);
    image.abandon();
    await upload.ticket.flush(() => image.flush());
    assert.deepEqual(upload.account, [4096, 4096]);
  });
});
