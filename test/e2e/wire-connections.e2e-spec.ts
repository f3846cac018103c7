import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { parseAnswer, parseAnswers } from './raw-answers.js';
import { allWireRoutes, describeWire } from './wire-under-test.js';

// Much more than the socket buffers of both sides together.
const largeBytes = 24 * MiB;

describeWire('connections', { routes: allWireRoutes }, (wire) => {
  async function statuses(request: string): Promise<number[]> {
    return parseAnswers(await wire.exchangeBytes(request)).map(({ status }) => status);
  }

  test('stay open for further requests', async () => {
    const ticket = await wire.addImage(10);
    const socket = await wire.connect();
    for (let count = 1; count <= 3; count++) {
      await socket.send(wire.request('PUT', ticket.path, ['Content-Length: 4'], 'DATA'));
      await socket.readAtLeast(count);
      await wire.ticketState(ticket, ({ active }) => !active, 'the write has ended');
    }
    await socket.send(wire.request('GET', '/info/', ['Connection: close']));
    const answers = parseAnswers(await socket.readUntilClose());
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200],
    );
    // The proxy's own to the daemon is kept for the next client.
    if (wire.isRelayed) return;
    await wire.ticketState(ticket, ({ connections }) => connections === 0, 'the connection is closed');
  });

  test('that are half-closed after the request get the whole answer', async () => {
    const image = randomBytes(largeBytes);
    const ticket = await wire.addImage(image, { ops: ['read'] });
    const socket = await wire.connect();
    socket.pause();
    await socket.send(wire.request('GET', ticket.path));
    socket.halfClose();
    await wire.ticketState(ticket, ({ active }) => active, 'the download runs');
    socket.resume();
    const answer = parseAnswer(await socket.readUntilClose());
    assert.equal(answer.status, 200);
    assert.ok(Buffer.from(answer.body, 'latin1').equals(image));
    assert.equal((await wire.vdsm.getTicket(ticket.id)).transferred, largeBytes);
  });

  test('that are half-closed after an upload get its answer', async () => {
    const ticket = await wire.addImage(4);
    const socket = await wire.connect();
    await socket.send(wire.request('PUT', ticket.path, ['Content-Length: 4'], 'DATA'));
    socket.halfClose();
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    assert.equal((await wire.contentOf(ticket)).toString(), 'DATA');
  });

  test('that are half-closed in mid-body are written, counted and get 400', async () => {
    const ticket = await wire.addImage(100);
    const socket = await wire.connect();
    await socket.send(wire.request('PUT', ticket.path, ['Content-Length: 100'], 'x'.repeat(37)));
    socket.halfClose();
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual(
      [answer.status, answer.headers['connection'], answer.body],
      [400, 'close', 'Request body is shorter than promised\n'],
    );
    const written = 'x'.repeat(37) + '\0'.repeat(63);
    assert.equal((await wire.contentOf(ticket)).toString('latin1'), written);
    const { transferred, active } = await wire.ticketState(
      ticket,
      ({ connections }) => connections === 0,
      'the connection is closed',
    );
    assert.deepEqual([transferred, active], [37, false]);
  });

  test('that are half-closed in the middle of a JSON body get 400', async () => {
    const ticket = await wire.addImage(4);
    const socket = await wire.connect();
    await socket.send(wire.request('PATCH', ticket.path, ['Content-Length: 50'], '{"op":'));
    socket.halfClose();
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 400);
  });

  test('answer pipelined requests in order, each after the one before it is done', async () => {
    const ticket = await wire.addImage(4);
    const get = wire.request('GET', ticket.path);
    const put = (data: string): string => wire.request('PUT', ticket.path, ['Content-Length: 4'], data);
    const last = wire.request('GET', ticket.path, ['Connection: close']);
    const requests = put('ONE.') + get + put('TWO.') + get + put('ZERO') + last;
    const answers = parseAnswers(await wire.exchangeBytes(requests));
    assert.deepEqual(
      answers.map(({ body }) => body),
      ['', 'ONE.', '', 'TWO.', '', 'ZERO'],
    );
  });

  for (const [what, garbage, status] of [
    ['a request line without path', 'GET \r\n\r\n', 400],
    ['an unknown method', wire.request('FOO', '/images/x'), 405],
    ['another version of HTTP', 'GET / HTTP/3.7\r\n\r\n', 505],
    ['HTTP/2.0', 'GET /info/ HTTP/2.0\r\nHost: localhost\r\n\r\n', 505],
    ['HTTP/0.9', 'GET /info/ HTTP/0.9\r\nHost: localhost\r\n\r\n', 505],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['another protocol', 'GET /info/ SMTP/1.0\r\n\r\n', 400],
    ['two Hosts', 'GET /info/ HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n', 400],
    [
      'an upload with two Hosts',
      wire.request('PUT', '/images/x', ['host: b', 'Content-Length: 9'], 'body'),
      400,
    ],
    ['a header without colon', 'GET / HTTP/1.1\r\nHost localhost\r\n\r\n', 400],
    ['too long headers', wire.request('GET', '/', [`X: ${'x'.repeat(20_000)}`]), 431],
  ] as const) {
    test(`answer ${what} with ${status} after the requests before it`, async () => {
      const ticket = await wire.addImage(Buffer.from('DATA'), { ops: ['read'] });
      const requests = wire.request('GET', ticket.path) + wire.request('GET', ticket.path) + garbage;
      assert.deepEqual(await statuses(requests), [200, 200, status]);
    });
  }

  test('answer garbage after a request only when its answer, of many buffers, is out', async () => {
    const ticket = await wire.addImage(largeBytes, { ops: ['read'] });
    const bytes = await wire.exchangeBytes(`${wire.request('GET', ticket.path)}GET / HTTP/7\r\n\r\n`);
    const [answer, refusal] = parseAnswers(bytes);
    assert.deepEqual([answer!.status, answer!.complete, refusal!.status], [200, true, 505]);
  });

  for (const [what, request, status] of [
    ['a path', (length: number) => wire.request('GET', `/images/${'x'.repeat(length)}`), 431],
    ['a header', (length: number) => wire.request('GET', '/info/', [`X-Long: ${'x'.repeat(length)}`]), 431],
    [
      'many headers',
      (length: number) => wire.request('GET', '/info/', Array<string>(length / 8).fill('X: yz')),
      431,
    ],
  ] as const) {
    test(`refuse ${what} of more than 16 KiB with ${status}`, async () => {
      assert.deepEqual(await statuses(request(17_000)), [status]);
    });
  }

  test('take headers of nearly 16 KiB', async () => {
    const request = wire.request('GET', '/info/', [`X-Long: ${'x'.repeat(16_000)}`, 'Connection: close']);
    assert.deepEqual(await statuses(request), [200]);
  });

  test('need a Host on TLS only', async () => {
    const request = wire.request('GET', '/info/', ['Connection: close']).replace('Host: localhost\r\n', '');
    assert.deepEqual(await statuses(request), [wire.address.kind === 'tls' ? 400 : 200]);
  });

  test('of HTTP/1.0 clients are answered and closed', async () => {
    const ticket = await wire.addImage(Buffer.from('DATA'), { ops: ['read'] });
    const request = wire.request('GET', ticket.path).replace('HTTP/1.1', 'HTTP/1.0');
    const answer = parseAnswer(await wire.exchangeBytes(request));
    assert.deepEqual([answer.status, answer.body], [200, 'DATA']);
  });
});
