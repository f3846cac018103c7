import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { KiB, MiB } from '../../src/units.js';
import { DaemonFixture, withoutTls } from './daemon.fixture.js';
import { parseAnswer, parseAnswers, requestBytes } from './raw-answers.js';
import { RawSocket } from '../support/raw-socket.js';

// Long for a busy machine to go from the handshake of a connection to its request.
const silenceSeconds = 3;
const largeBytes = 64 * MiB;

describe('slow clients', { concurrency: true }, () => {
  let fixture: DaemonFixture;
  before(async () => {
    fixture = await DaemonFixture.start({
      limits: {
        unauthorised_silence_sec: silenceSeconds,
        headers_timeout_sec: 2.5,
        buffer_bytes: 64 * KiB,
        linger_sec: 0.2,
      },
    });
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  for (const listener of ['remote', 'local', 'control'] as const) {
    test(`that say nothing to the ${listener} service are closed`, async () => {
      const socket = await fixture.connect(listener);
      assert.equal((await socket.readUntilClose()).length, 0);
    });

    test(`that do not finish the head of a request to the ${listener} service get 408`, async () => {
      const socket = await fixture.connect(listener);
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
  }

  test('that never begin the TLS handshake are closed', async () => {
    const socket = await RawSocket.connect(withoutTls(fixture.daemon.address('remote')));
    assert.equal((await socket.readUntilClose()).length, 0);
  });

  test('without a ticket are closed some time after their last request', async () => {
    const socket = await fixture.connect();
    await socket.send(requestBytes('GET', '/info/'));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
  });

  test('with a ticket may be silent for as long as its inactivity timeout says', async () => {
    const ticket = await fixture.addImage(4);
    const socket = await fixture.connect();
    await socket.send(requestBytes('OPTIONS', ticket.path));
    await socket.readUntil('}');
    // Longer than the limit for clients without a ticket.
    await delay(silenceSeconds * 1000 * 2.5);
    await socket.send(requestBytes('GET', '/info/', ['Connection: close']));
    assert.deepEqual(
      parseAnswers(await socket.readUntilClose()).map(({ status }) => status),
      [200, 200],
    );
  });

  test('with a ticket are closed after its inactivity timeout, and with them their image', async () => {
    const ticket = await fixture.addImage(4, { inactivity_timeout: 1 });
    const socket = await fixture.connect();
    await socket.send(requestBytes('OPTIONS', ticket.path));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    await fixture.ticketState(ticket, ({ connections }) => connections === 0, 'the image is closed');
    assert.equal(await fixture.openFiles(ticket.file), 0);
  });

  test('that stop sending in mid-body are cut, and what came is kept', async () => {
    const ticket = await fixture.addImage(100, { inactivity_timeout: 1 });
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 100'], 'x'.repeat(40)));
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual([answer.status, answer.headers['connection']], [408, 'close']);
    const info = await fixture.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'the ticket is idle',
    );
    assert.ok(info.transferred! <= 40);
  });

  test('that stop sending in the middle of JSON are cut', async () => {
    const ticket = await fixture.addImage(100, { inactivity_timeout: 1 });
    const socket = await fixture.connect();
    await socket.send(requestBytes('PATCH', ticket.path, ['Content-Length: 100'], '{'));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 408);
  });

  test('that stop reading are cut', async () => {
    const ticket = await fixture.addImage(largeBytes, { ops: ['read'], inactivity_timeout: 1 });
    const socket = await fixture.connect();
    socket.pause();
    await socket.send(requestBytes('GET', ticket.path));
    await fixture.ticketState(ticket, ({ active }) => active, 'the download runs');
    const { transferred } = await fixture.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'the download was cut',
    );
    assert.ok(transferred! < largeBytes);
    socket.resume();
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual([answer.status, answer.complete], [200, false]);
  });

  test('that do not read a long list of tickets are cut', async () => {
    for (let count = 0; count < 150; count++)
      await fixture.addImage(undefined, { filename: 'x'.repeat(30_000) });
    const socket = await fixture.connect('control');
    socket.pause();
    await socket.send(requestBytes('GET', '/tickets/'));
    await fixture.daemon.program.waitForLine(
      (line) => (/"route":"\/tickets".*"complete":false/.test(line) ? true : undefined),
      'the request was cut',
    );
  });

  test('that send slowly but steadily are not cut', async () => {
    const ticket = await fixture.addImage(30, { inactivity_timeout: 5 });
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 30', 'Connection: close']));
    for (let sent = 0; sent < 30; sent++) {
      await delay(250);
      await socket.send('x');
    }
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    assert.equal((await fixture.contentOf(ticket)).toString(), 'x'.repeat(30));
  });

  test('that read slowly but steadily are not cut', async () => {
    const sizeBytes = 12 * MiB;
    const ticket = await fixture.addImage(sizeBytes, { ops: ['read'], inactivity_timeout: 5 });
    const response = await fixture.client('local').open('GET', ticket.path);
    let readBytes = 0;
    for await (const chunk of response) {
      readBytes += (chunk as Buffer).length;
      if (readBytes < sizeBytes) await delay(40);
    }
    assert.equal(readBytes, sizeBytes);
  });
});

describe('clients that never read', () => {
  test('take no more memory than their buffers, and are cut', async () => {
    await using fixture = await DaemonFixture.start({ limits: { buffer_bytes: 64 * KiB } });
    const ticket = await fixture.addImage(largeBytes, { ops: ['read'], inactivity_timeout: 8 });
    const client = fixture.client();
    assert.equal((await client.request('GET', ticket.path, { headers: { Range: 'bytes=0-9' } })).status, 206);
    const before = fixture.daemon.program.residentBytes;
    // Connected before, as the first download must not be cut before the last one runs.
    const sockets = await Promise.all(Array.from({ length: 50 }, () => fixture.connect()));
    for (const socket of sockets) {
      socket.pause();
      await socket.send(requestBytes('GET', ticket.path));
    }
    await fixture.ticketState(ticket, ({ connections }) => connections >= 50, 'all downloads run');
    await fixture.ticketState(ticket, ({ connections }) => connections === 0, 'all downloads were cut');
    // Fifty images would be 3200 MiB, fifty connections of TLS are some.
    assert.ok(fixture.daemon.program.residentBytesMax - before < 120 * MiB);
    assert.equal(await fixture.openFiles(ticket.file), 0);
  });
});
