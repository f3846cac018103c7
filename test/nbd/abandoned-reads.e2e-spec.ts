import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';

import { KiB, MiB } from '../../src/base/units.js';
import { eventually, within } from '../support/deadline.js';
import { DaemonUnderTest } from '../e2e/daemon-under-test.js';
import { monitored, Scrape } from '../e2e/monitoring.js';
import { parseAnswer, requestBytes } from '../e2e/raw-answers.js';
import { describeWire } from '../e2e/wire-under-test.js';
import { openImage, pattern } from './images.js';
import { type ClientRequest, type Script, ScriptedServer } from './scripted-server.js';
import { dataChunk, noneChunk } from './server-messages.js';
import { Workspace } from './servers.js';

const sizeBytes = 64 * MiB;
const [read, write, disconnect] = [0, 1, 2];

/** A server that answers all but some commands, which it keeps with the connection they came on. */
class KeepingServer implements AsyncDisposable {
  readonly kept: { readonly request: ClientRequest; readonly socket: Socket }[] = [];

  private constructor(
    private readonly workspace: Workspace,
    private readonly keeps: readonly (number | undefined)[],
  ) {}

  server!: ScriptedServer;

  static async start(...keeps: readonly (number | undefined)[]): Promise<KeepingServer> {
    const workspace = await Workspace.create();
    const keeping = new KeepingServer(workspace, keeps);
    const reply: Script['reply'] = (request, socket) => {
      if (keeping.keeps.includes(request.command)) keeping.kept.push({ request, socket });
      else if (request.command !== disconnect) return noneChunk(request.cookie);
      return undefined;
    };
    keeping.server = await ScriptedServer.listen(workspace.path('sock'), { sizeBytes, reply });
    return keeping;
  }

  get url(): string {
    return this.server.url;
  }

  /** Resolves when that many requests were kept. */
  async keptRequests(count: number): Promise<KeepingServer['kept']> {
    await eventually(() => this.kept.length >= count || undefined, `${count} requests are kept`);
    return this.kept;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.workspace[Symbol.asyncDispose]();
  }
}

describe('an image of an NBD server whose calls are given up', () => {
  test('fails its reads, and gets nothing into their buffers that the server sends later', async () => {
    await using server = await KeepingServer.start(read);
    const image = await openImage(server.url);
    const buffer = new Uint8Array(256 * KiB);
    const reading = image.read(buffer, { offsetBytes: 0, lengthBytes: 64 * KiB });
    const [first] = await server.keptRequests(1);
    assert.ok(first !== undefined);
    const { request, socket } = first;
    // A part of the answer is there already, and the rest of it on its way.
    const answer = dataChunk(request.cookie, 0, pattern(request.lengthBytes), true);
    socket.write(answer.subarray(0, 32 * KiB));
    await eventually(() => buffer[0] !== 0 || undefined, 'a part of the answer has come');
    socket.write(answer.subarray(32 * KiB));
    socket.removeAllListeners('error').on('error', () => undefined);
    image.abandon();
    const usedByOthers = pattern(buffer.length, 9);
    buffer.set(usedByOthers);
    await assert.rejects(reading, /given up/);
    await eventually(() => server.server.connections === 0 || undefined, 'the server has noticed');
    assert.ok(usedByOthers.equals(buffer));
    await image.close();
  });

  test('makes another connection for the next call', async () => {
    await using server = await KeepingServer.start(read);
    const image = await openImage(server.url);
    const reading = image.read(new Uint8Array(128 * KiB), { offsetBytes: 0, lengthBytes: 64 * KiB });
    await server.keptRequests(1);
    image.abandon();
    await assert.rejects(reading, /given up/);
    await image.write(new Uint8Array(4096), 0);
    await image.close();
  });

  test('keeps its connection while a write is in flight, whose outcome it hears', async () => {
    await using server = await KeepingServer.start(read, write);
    const image = await openImage(server.url);
    const reading = image.read(new Uint8Array(128 * KiB), { offsetBytes: 0, lengthBytes: 64 * KiB });
    const writing = image.write(pattern(64 * KiB), 0);
    const kept = await server.keptRequests(2);
    image.abandon();
    for (const { request, socket } of kept) {
      const data = Buffer.alloc(request.lengthBytes);
      socket.write(
        request.command === read ? dataChunk(request.cookie, 0, data, true) : noneChunk(request.cookie),
      );
    }
    await writing;
    await reading;
    await image.close();
  });
});

const attempts = 14;
const downloadsAtOnce = 8;

describeWire(
  'clients that give up reading from an NBD server that hangs',
  { configuration: monitored },
  (wire) => {
    test('leave no buffer in use, and their ticket can be removed', async () => {
      await using server = await KeepingServer.start(read);
      const ticket = await wire.addImage(undefined, { url: server.url, size: sizeBytes, ops: ['read'] });
      for (let attempt = 1; attempt <= attempts; attempt += 1) {
        const sockets = await Promise.all(Array.from({ length: downloadsAtOnce }, () => wire.connect()));
        await Promise.all(sockets.map((socket) => socket.send(wire.request('GET', ticket.path))));
        await eventually(() => server.server.connections >= downloadsAtOnce || undefined, 'they all read');
        for (const socket of sockets) socket.reset();
        await eventually(() => server.server.connections === 0 || undefined, 'nobody reads any more');
      }
      await eventually(
        async () => (await Scrape.of(wire.daemon.daemon)).sum('imageio_buffers_in_use') === 0 || undefined,
        'all buffers are free',
      );
      const removal = wire.vdsm.request('DELETE', `/tickets/${ticket.id}`);
      assert.equal((await within(removal, 'the removal', { deadlineMs: 10_000 })).status, 204);
    });
  },
);

describe('a client that closes its side while its download waits for storage', () => {
  for (const listener of ['remote', 'local'] as const) {
    test(`is noticed if it has gone, at the ${listener} listener`, async () => {
      await using server = await KeepingServer.start(read);
      await using fixture = await DaemonUnderTest.start();
      const ticket = await fixture.addImage(undefined, { url: server.url, size: sizeBytes, ops: ['read'] });
      const socket = await fixture.connect(listener);
      await socket.send(requestBytes('GET', ticket.path));
      await server.keptRequests(1);
      socket.close();
      await fixture.ticketState(ticket, ({ active }) => !active, 'the download has ended');
    });
  }

  test('gets all of it if it has not', async () => {
    await using server = await KeepingServer.start(read);
    await using fixture = await DaemonUnderTest.start();
    const lengthBytes = 64 * KiB;
    const ticket = await fixture.addImage(undefined, { url: server.url, size: lengthBytes, ops: ['read'] });
    const socket = await fixture.connect();
    await socket.send(requestBytes('GET', ticket.path));
    const [first] = await server.keptRequests(1);
    assert.ok(first !== undefined);
    socket.halfClose();
    await socket.readUntil('\r\n\r\n');
    const content = pattern(lengthBytes);
    first.socket.write(dataChunk(first.request.cookie, 0, content, true));
    const answer = parseAnswer(await socket.readUntilClose());
    assert.equal(answer.status, 200);
    assert.ok(answer.complete && answer.body === content.toString('latin1'));
  });
});
