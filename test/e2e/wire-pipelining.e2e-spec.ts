import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import type { Service } from '../support/processes.js';
import { RawSocket } from '../support/raw-socket.js';
import { askMonitoring, monitored } from './monitoring.js';
import { parseAnswers } from './raw-answers.js';
import { allWireRoutes, describeWire } from './wire-under-test.js';

// One is answered while these wait.
const waitingMax = 16;
const floods = 60;
// Socket and TLS buffers, what waits, and the garbage that is left of what was received at once.
const bytesPerConnectionMax = MiB;
const slowReaders = 8;
// The buffers of one answer. All of them together would take 17 MiB.
const bytesPerSlowReaderMax = 6 * MiB;
// As short as a request can be, so that as many as possible are in what is received at once.
const shortest = 'OPTIONS /images/* HTTP/1.1\r\nHost:\r\n\r\n';

describeWire('pipelined requests', { configuration: monitored, routes: allWireRoutes }, (wire) => {
  test('are answered in order as long as no more wait than may', async () => {
    const ticket = await wire.addImage(4);
    const put = (data: string): string => wire.request('PUT', ticket.path, ['Content-Length: 4'], data);
    const get = wire.request('GET', ticket.path);
    const texts = Array.from({ length: waitingMax / 2 }, (_, index) => `N${index}..`);
    const last = wire.request('GET', '/info/', ['Connection: close']);
    const answers = parseAnswers(
      await wire.exchangeBytes(texts.map((text) => put(text) + get).join('') + last),
    );
    assert.deepEqual(
      answers.slice(0, -1).map(({ status, body }) => [status, body]),
      texts.flatMap((text) => [
        [200, ''],
        [200, text],
      ]),
    );
    assert.equal(answers.at(-1)?.status, 200);
  });

  test('may go on without end when the client reads the answers', async () => {
    const socket = await wire.connect();
    const batch = wire.request('GET', '/info/').repeat(waitingMax);
    for (let sent = 1; sent <= 20; sent++) {
      await socket.send(batch);
      await eventually(
        () => countAnswers(socket.received) === sent * waitingMax || undefined,
        'the batch is answered',
      );
    }
  });

  test('end the connection when more wait', async () => {
    const socket = await wire.connect();
    await socket.send(shortest.repeat(waitingMax + 2));
    await socket.readUntilClose();
  });

  test('end it also when the first of them is an upload that is under way', async () => {
    const ticket = await wire.addImage(10);
    const put = wire.request('PUT', ticket.path, ['Content-Length: 10'], 'x'.repeat(10));
    const socket = await wire.connect();
    await socket.send(put + shortest.repeat(waitingMax + 1));
    await socket.readUntilClose();
    await wire.ticketState(ticket, ({ active }) => !active, 'the upload has ended');
  });

  test('that come by the thousand take bounded memory', async () => {
    await assertBounded(wire.service, floods * bytesPerConnectionMax, async () => {
      for (let count = 0; count < floods; count++)
        flood(await connect(() => wire.connect()), shortest.repeat(2000));
      assert.equal((await wire.client().request('GET', '/info/')).status, 200);
    });
  });

  test('whose answers nobody reads take bounded memory', async () => {
    // Together more than the kernel takes on both sides.
    const image = await wire.addImage(Buffer.alloc(MiB, 'x'), { ops: ['read'] });
    const gets = wire.request('GET', image.path).repeat(waitingMax + 1);
    await assertBounded(wire.service, slowReaders * bytesPerSlowReaderMax, async () => {
      for (let count = 0; count < slowReaders; count++) flood(await connect(() => wire.connect()), gets, 1);
      await wire.ticketState(image, ({ connections }) => connections > 0, 'the image is being read');
      assert.equal((await wire.client().request('GET', '/info/')).status, 200);
    });
  });

  test('to the listeners for control and monitoring take bounded memory', async () => {
    const { service } = wire;
    await assertBounded(service, 2 * floods * bytesPerConnectionMax, async () => {
      for (let count = 0; count < floods; count++) {
        for (const listener of ['control', 'metrics'] as const) {
          const socket = await connect(() => RawSocket.connect(service.address(listener)));
          flood(socket, shortest.repeat(2000));
        }
      }
      assert.equal((await askMonitoring(service, '/health/live')).status, 200);
      assert.equal((await service.vdsm.request('GET', '/tickets/none')).status, 404);
    });
  });

  async function connect(open: () => Promise<RawSocket>): Promise<RawSocket> {
    const socket = await open();
    socket.pause();
    flooding.push(socket);
    return socket;
  }

  const flooding: RawSocket[] = [];
  after(() => {
    for (const socket of flooding) socket.close();
  });
});

function countAnswers(received: Buffer): number {
  return received.toString('latin1').split('HTTP/1.1 200 ').length - 1;
}

/** Sends what the service may close the connection for before it was all taken. */
function flood(socket: RawSocket, bytes: string, times = 4): void {
  for (let count = 0; count < times; count++) socket.send(bytes).catch(() => undefined);
}

async function assertBounded(
  { program }: Service,
  grownBytesMax: number,
  work: () => Promise<void>,
): Promise<void> {
  const beforeBytes = program.residentBytesMax;
  await work();
  const grownBytes = program.residentBytesMax - beforeBytes;
  assert.ok(grownBytes < grownBytesMax, `grew by ${Math.round(grownBytes / MiB)} MiB`);
}
