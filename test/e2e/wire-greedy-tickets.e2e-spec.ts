import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KiB, MiB } from '../../src/base/units.js';
import { eventually, within } from '../support/deadline.js';
import type { RawSocket } from '../support/raw-socket.js';
import { askMonitoring, monitored, Scrape } from './monitoring.js';
import { parseAnswer } from './raw-answers.js';
import { describeWire, type Wire } from './wire-under-test.js';

/** What nobody who reads or sends has to wait for, on a machine that is busy with other tests. */
const honestMs = 30_000;

/** More than all sockets on the way hold for a client that does not read. */
const neverReadBytes = 64 * MiB;

/** Uploads and downloads an image on a ticket of its own, as a client does that knows nothing of others. */
async function assertHonestTransfer(wire: Wire): Promise<void> {
  const content = randomBytes(8 * MiB + 1);
  const ticket = await wire.addImage(content.length);
  const client = wire.client();
  const transfer = async (): Promise<void> => {
    const put = await client.request('PUT', ticket.path, { body: content });
    assert.equal(put.status, 200, put.text);
    const get = await client.request('GET', ticket.path);
    assert.equal(get.status, 200, get.text);
    assert.ok(get.body.equals(content));
  };
  await within(transfer(), 'an honest transfer', { deadlineMs: honestMs });
  await wire.vdsm.removeTicket(ticket.id);
}

async function assertReady(wire: Wire): Promise<void> {
  for (const service of new Set([wire.daemon.daemon, wire.service])) {
    const ready = await within(askMonitoring(service, '/health/ready'), 'health', { deadlineMs: 10_000 });
    assert.equal(ready.status, 200, ready.text);
  }
}

async function buffersInUse(wire: Wire): Promise<number> {
  return (await Scrape.of(wire.daemon.daemon)).sum('imageio_buffers_in_use');
}

/** Requests that all have been sent; nobody reads an answer. */
async function sendMany(wire: Wire, count: number, request: () => string): Promise<RawSocket[]> {
  const sockets = await Promise.all(Array.from({ length: count }, () => wire.connect()));
  const sent = sockets.map(async (socket) => {
    socket.pause();
    await socket.send(request());
  });
  await Promise.all(sent);
  return sockets;
}

function closeAll(sockets: readonly RawSocket[]): void {
  for (const socket of sockets) socket.reset();
}

const routes = ['straight to the daemon', 'through the proxy with a session'] as const;

/** Its buffers are counted, and data workers have some of their own. */
const oneThread = { ...monitored, daemon: { workers: 0 } };

describeWire('one ticket that takes all it can get', { configuration: oneThread, routes }, (wire) => {
  test('with 112 downloads that are never read leaves others their share', async () => {
    const greedy = await wire.addImage(neverReadBytes, { ops: ['read'] });
    const sockets = await sendMany(wire, 112, () => wire.request('GET', greedy.path));
    await eventually(async () => (await buffersInUse(wire)) >= 80 || undefined, 'it has its share');
    await assertReady(wire);
    await assertHonestTransfer(wire);
    await assertReady(wire);
    closeAll(sockets);
    await wire.vdsm.removeTicket(greedy.id);
  });

  test('with 230 uploads that trickle leaves others their share, and is not cut', async () => {
    const greedy = await wire.addImage(10 * MiB, { ops: ['write'] });
    const put = wire.request('PUT', greedy.path, [`Content-Length: ${10 * MiB}`], 'x');
    const sockets = await sendMany(wire, 230, () => put);
    await wire.ticketState(greedy, ({ transferred }) => transferred === 1, 'all begin');
    const trickle = setInterval(() => {
      for (const socket of sockets) void socket.send('x').catch(() => undefined);
    }, 500);
    try {
      await assertReady(wire);
      await assertHonestTransfer(wire);
      await assertReady(wire);
    } finally {
      clearInterval(trickle);
    }
    assert.equal(sockets.filter(({ closed }) => closed).length, 0);
    closeAll(sockets);
    await wire.vdsm.removeTicket(greedy.id);
  });

  test('with 40 checksums of a sparse image of 8 TiB leaves others their share', async () => {
    const greedy = await wire.addImage(2 ** 43, { ops: ['read'] });
    const path = `${greedy.path}/checksum?block_size=${MiB}`;
    const sockets = await sendMany(wire, 40, () => wire.request('GET', path));
    await wire.ticketState(greedy, ({ active }) => active, 'they run');
    await assertReady(wire);
    await assertHonestTransfer(wire);
    await assertReady(wire);
    assert.equal(await buffersInUse(wire), 0);
    // Those whose turn has not come as well.
    const { status } = await within(wire.vdsm.request('DELETE', `/tickets/${greedy.id}`), 'the removal');
    assert.equal(status, 204);
    closeAll(sockets);
  });
});

/** With room for twelve buffers. */
const fewBuffers = {
  configuration: {
    ...oneThread,
    limits: { buffer_bytes: 64 * KiB, buffer_pool_bytes: MiB, buffer_stall_sec: 2 },
  },
  routes,
} as const;

describeWire('many tickets that take all buffers together', fewBuffers, (wire) => {
  const greedyCount = 24;

  async function takeAll(): Promise<{ paths: string[]; sockets: RawSocket[] }> {
    const tickets = await Promise.all(
      Array.from({ length: greedyCount }, () => wire.addImage(neverReadBytes, { ops: ['read'] })),
    );
    const paths = tickets.map(({ path }) => path);
    const next = paths.values();
    const sockets = await sendMany(wire, greedyCount, () => wire.request('GET', next.next().value ?? ''));
    await eventually(async () => (await buffersInUse(wire)) >= 12 || undefined, 'all are in use');
    return { paths, sockets };
  }

  test('with downloads that are never read give way to those who wait', async () => {
    const { sockets } = await takeAll();
    await assertHonestTransfer(wire);
    await assertReady(wire);
    closeAll(sockets);
  });

  test('do not cut a download that is read slowly but steadily', async () => {
    const sizeBytes = 3 * MiB;
    const ticket = await wire.addImage(randomBytes(sizeBytes), { ops: ['read'] });
    const { sockets } = await takeAll();
    const response = await within(wire.client().open('GET', ticket.path), 'the head', {
      deadlineMs: honestMs,
    });
    assert.equal(response.statusCode, 200);
    let readBytes = 0;
    let restedAt = 0;
    const others = (async () => {
      for (let count = 0; count < 3; count += 1) await assertHonestTransfer(wire);
    })();
    for await (const chunk of response) {
      readBytes += (chunk as Buffer).length;
      if (readBytes - restedAt < 32 * KiB) continue;
      restedAt = readBytes;
      await delay(50);
    }
    assert.equal(readBytes, sizeBytes);
    await others;
    closeAll(sockets);
  });

  test('do not cut an upload that is sent slowly but steadily', async () => {
    const { sockets } = await takeAll();
    const ticket = await wire.addImage(20, { ops: ['write'] });
    const socket = await wire.connect();
    // Chunked: it may become long, so that it wants a large buffer.
    await socket.send(wire.request('PUT', ticket.path, ['Transfer-Encoding: chunked', 'Connection: close']));
    for (let sent = 0; sent < 20; sent += 1) {
      await socket.send('1\r\nx\r\n');
      await delay(200);
    }
    await socket.send('0\r\n\r\n');
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    assert.equal((await wire.contentOf(ticket)).toString(), 'x'.repeat(20));
    closeAll(sockets);
  });

  test('with transfers that move share what there is, and all of them end', async () => {
    const contents = Array.from({ length: greedyCount }, () => randomBytes(MiB + 1));
    const tickets = await Promise.all(contents.map((content) => wire.addImage(content)));
    const transfers = tickets.map(async ({ path }, index) => {
      const client = wire.client();
      const get = await client.request('GET', path);
      assert.equal(get.status, 200, get.text);
      assert.ok(get.body.equals(contents[index]!));
      const put = await client.request('PUT', path, { body: get.body.toReversed() });
      assert.equal(put.status, 200, put.text);
    });
    await within(Promise.all(transfers), 'all transfers');
    for (const [index, ticket] of tickets.entries())
      assert.ok((await wire.contentOf(ticket)).equals(Buffer.from(contents[index]!.toReversed())));
    assert.equal(await buffersInUse(wire), 0);
  });
});

describeWire('one ticket with more downloads than buffers', fewBuffers, (wire) => {
  test('lets the one that is read move on beside those that are not', async () => {
    const content = randomBytes(neverReadBytes);
    const ticket = await wire.addImage(content, { ops: ['read'] });
    const sockets = await sendMany(wire, 24, () => wire.request('GET', ticket.path));
    await eventually(async () => (await buffersInUse(wire)) >= 6 || undefined, 'it has its share');
    const reading = wire.client().request('GET', ticket.path);
    const answer = await within(reading, 'a download that is read');
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.body.equals(content));
    closeAll(sockets);
  });
});
