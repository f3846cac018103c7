import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import type { Service } from '../support/processes.js';
import { RawSocket } from '../support/raw-socket.js';
import { withoutTls } from './daemon-under-test.js';
import { parseAnswer, parseAnswers } from './raw-answers.js';
import { allWireRoutes, describeWire } from './wire-under-test.js';

// Long for a busy machine to go from the handshake of a connection to its request.
const silenceSeconds = 3;
const inactivitySeconds = 5;
const largeBytes = 64 * MiB;
const clientCount = 100;

const configuration = {
  // Of all tickets here, and of sessions, which do not have a limit of their own.
  daemon: { inactivity_timeout: inactivitySeconds },
  limits: {
    unauthorised_silence_sec: silenceSeconds,
    headers_timeout_sec: 2.5,
    buffer_bytes: 64 * KiB,
    linger_sec: 0.2,
  },
};

describeWire('slow clients', { configuration, routes: allWireRoutes, concurrency: true }, (wire) => {
  test('that say nothing are closed', async () => {
    const socket = await wire.connect();
    assert.equal((await socket.readUntilClose()).length, 0);
  });

  test('that do not finish the head of a request get 408', async () => {
    const socket = await wire.connect();
    await socket.send('GET /info/ HTTP/1.1\r\nHost: loc');
    // Neither is it enough to go on a little now and then.
    const drip = setInterval(() => void socket.send('x').catch(() => undefined), 100);
    try {
      const answer = parseAnswer(await socket.readUntilClose());
      assert.deepEqual([answer.status, answer.headers['connection']], [408, 'close']);
    } finally {
      clearInterval(drip);
    }
  });

  test('that never begin the TLS handshake are closed', async (context) => {
    if (wire.address.kind !== 'tls') {
      context.skip('no TLS there');
      return;
    }
    const socket = await RawSocket.connect(withoutTls(wire.address));
    assert.equal((await socket.readUntilClose()).length, 0);
  });

  test('without a ticket are closed some time after their last request', async () => {
    const socket = await wire.connect();
    await socket.send(wire.request('GET', '/info/'));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
  });

  test('with a ticket may be silent for as long as its inactivity timeout says', async () => {
    const ticket = await wire.addImage(4);
    const socket = await wire.connect();
    await socket.send(wire.request('OPTIONS', ticket.path));
    await socket.readUntil('}');
    // Longer than the limit for clients without a ticket, shorter than that of the ticket.
    await delay((silenceSeconds * 1000 + inactivitySeconds * 1000) / 2);
    await socket.send(wire.request('GET', '/info/', ['Connection: close']));
    assert.deepEqual(
      parseAnswers(await socket.readUntilClose()).map(({ status }) => status),
      [200, 200],
    );
  });

  test('with a ticket are closed after its inactivity timeout, and with them their image', async () => {
    const ticket = await wire.addImage(4);
    const socket = await wire.connect();
    await socket.send(wire.request('OPTIONS', ticket.path));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    await wire.ticketState(ticket, ({ connections }) => connections === 0, 'the image is closed');
    assert.equal(await wire.openFiles(ticket.file), 0);
  });

  test('that stop sending in mid-body are cut, and what came is kept', async () => {
    const ticket = await wire.addImage(100);
    const socket = await wire.connect();
    await socket.send(wire.request('PUT', ticket.path, ['Content-Length: 100'], 'x'.repeat(40)));
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual([answer.status, answer.headers['connection']], [408, 'close']);
    const info = await wire.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'the ticket is idle',
    );
    assert.ok(info.transferred! <= 40);
  });

  test('that stop sending in the middle of JSON are cut', async () => {
    const ticket = await wire.addImage(100);
    const socket = await wire.connect();
    await socket.send(wire.request('PATCH', ticket.path, ['Content-Length: 100'], '{'));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 408);
  });

  test('that stop reading are cut', async () => {
    const ticket = await wire.addImage(largeBytes, { ops: ['read'] });
    const socket = await wire.connect();
    socket.pause();
    await socket.send(wire.request('GET', ticket.path));
    await wire.ticketState(ticket, ({ active }) => active, 'the download runs');
    const { transferred } = await wire.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'the download was cut',
    );
    assert.ok(transferred! < largeBytes);
    socket.resume();
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual([answer.status, answer.complete], [200, false]);
  });

  test('that send slowly but steadily are not cut', async () => {
    const ticket = await wire.addImage(30);
    const socket = await wire.connect();
    await socket.send(wire.request('PUT', ticket.path, ['Content-Length: 30', 'Connection: close']));
    for (let sent = 0; sent < 30; sent++) {
      await delay(250);
      await socket.send('x');
    }
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    assert.equal((await wire.contentOf(ticket)).toString(), 'x'.repeat(30));
  });

  test('that read slowly but steadily are not cut', async () => {
    const sizeBytes = 12 * MiB;
    const ticket = await wire.addImage(sizeBytes, { ops: ['read'] });
    const response = await wire.client().open('GET', ticket.path);
    let readBytes = 0;
    let restedAt = 0;
    for await (const chunk of response) {
      readBytes += (chunk as Buffer).length;
      if (readBytes - restedAt < 128 * KiB) continue;
      restedAt = readBytes;
      await delay(50);
    }
    assert.equal(readBytes, sizeBytes);
  });
});

const neverReading = {
  configuration: { limits: { buffer_bytes: 64 * KiB }, daemon: { inactivity_timeout: 8 } },
  routes: ['straight to the daemon', 'through the proxy with a session'],
} as const;

describeWire('clients that never read', neverReading, (wire) => {
  test('take no more memory than their buffers, and are cut', async () => {
    const ticket = await wire.addImage(largeBytes, { ops: ['read'] });
    const client = wire.client();
    assert.equal((await client.request('GET', ticket.path, { headers: { Range: 'bytes=0-9' } })).status, 206);
    const programs = new Set([wire.service.program, wire.daemon.daemon.program]);
    const before = new Map([...programs].map((program) => [program, program.residentBytes]));
    // Connected before, as the first download must not be cut before the last one runs.
    const sockets = await Promise.all(Array.from({ length: clientCount }, () => wire.connect()));
    const clients = sockets.map(async (socket) => {
      socket.pause();
      await socket.send(wire.request('GET', ticket.path));
    });
    await Promise.all(clients);
    await eventually(
      () => (cutRequests(wire.service) >= clientCount ? true : undefined),
      'all downloads were cut',
    );
    await wire.ticketState(ticket, ({ active }) => !active, 'the daemon has noticed');
    for (const [program, idleBytes] of before) {
      // A hundred images would be 6400 MiB. The proxy holds about 1.4 MiB for each
      // client, with TLS on both sides.
      const growthBytes = program.residentBytesMax - idleBytes;
      assert.ok(growthBytes < clientCount * 2 * MiB, `grew by ${Math.round(growthBytes / MiB)} MiB`);
    }
  });
});

function cutRequests({ log }: Service): number {
  return log.filter(({ msg, complete }) => msg === 'Request ended' && complete === false).length;
}
