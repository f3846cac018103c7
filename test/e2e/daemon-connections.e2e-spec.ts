import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/units.js';
import type { ListenerName } from '../support/processes.js';
import { DaemonFixture } from './daemon.fixture.js';
import { parseAnswer, parseAnswers, requestBytes } from './raw-answers.js';

// Much more than the socket buffers of both sides together.
const largeBytes = 24 * MiB;

describe('connections', () => {
  let fixture: DaemonFixture;
  before(async () => {
    fixture = await DaemonFixture.start();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  async function statuses(request: string, listener: ListenerName = 'remote'): Promise<number[]> {
    return parseAnswers(await fixture.exchangeBytes(request, listener)).map(({ status }) => status);
  }

  for (const listener of ['remote', 'local'] as const) {
    test(`to the ${listener} service stay open for further requests`, async () => {
      const ticket = await fixture.addImage(10);
      const socket = await fixture.connect(listener);
      for (let count = 1; count <= 3; count++) {
        await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 4'], 'DATA'));
        await socket.readAtLeast(count);
        await fixture.ticketState(ticket, ({ active }) => !active, 'the write has ended');
      }
      await socket.send(requestBytes('GET', '/info/', ['Connection: close']));
      const answers = parseAnswers(await socket.readUntilClose());
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200, 200],
      );
      await fixture.ticketState(ticket, ({ connections }) => connections === 0, 'the connection is closed');
    });

    test(`to the ${listener} service that are half-closed after the request get the whole answer`, async () => {
      const image = randomBytes(largeBytes);
      const ticket = await fixture.addImage(image, { ops: ['read'] });
      const socket = await fixture.connect(listener);
      socket.pause();
      await socket.send(requestBytes('GET', ticket.path));
      socket.halfClose();
      await fixture.ticketState(ticket, ({ active }) => active, 'the download runs');
      socket.resume();
      const answer = parseAnswer(await socket.readUntilClose());
      assert.equal(answer.status, 200);
      assert.ok(Buffer.from(answer.body, 'latin1').equals(image));
      assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, largeBytes);
    });

    test(`to the ${listener} service that are half-closed after an upload get its answer`, async () => {
      const ticket = await fixture.addImage(4);
      const socket = await fixture.connect(listener);
      await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 4'], 'DATA'));
      socket.halfClose();
      assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
      assert.equal((await fixture.contentOf(ticket)).toString(), 'DATA');
    });

    test(`to the ${listener} service that are half-closed in mid-body are written, counted and get 400`, async () => {
      const ticket = await fixture.addImage(100);
      const socket = await fixture.connect(listener);
      await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 100'], 'x'.repeat(37)));
      socket.halfClose();
      const answer = parseAnswer(await socket.readUntilClose());
      assert.deepEqual(
        [answer.status, answer.headers['connection'], answer.body],
        [400, 'close', 'Request body is shorter than promised\n'],
      );
      const written = 'x'.repeat(37) + '\0'.repeat(63);
      assert.equal((await fixture.contentOf(ticket)).toString('latin1'), written);
      const { transferred, active } = await fixture.ticketState(
        ticket,
        ({ connections }) => connections === 0,
        'the connection is closed',
      );
      assert.deepEqual([transferred, active], [37, false]);
    });
  }

  test('that are half-closed in the middle of a JSON body get 400', async () => {
    const ticket = await fixture.addImage(4);
    const socket = await fixture.connect();
    await socket.send(requestBytes('PATCH', ticket.path, ['Content-Length: 50'], '{"op":'));
    socket.halfClose();
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 400);
  });

  test('answer pipelined requests in order, each after the one before it is done', async () => {
    const ticket = await fixture.addImage(4);
    const get = requestBytes('GET', ticket.path);
    const put = (data: string): string => requestBytes('PUT', ticket.path, ['Content-Length: 4'], data);
    const last = requestBytes('GET', ticket.path, ['Connection: close']);
    const requests = put('ONE.') + get + put('TWO.') + get + put('ZERO') + last;
    const answers = parseAnswers(await fixture.exchangeBytes(requests));
    assert.deepEqual(
      answers.map(({ body }) => body),
      ['', 'ONE.', '', 'TWO.', '', 'ZERO'],
    );
  });

  test('answer many pipelined requests', async () => {
    const ticket = await fixture.addImage(Buffer.from('DATA'), { ops: ['read'] });
    const requests = requestBytes('GET', ticket.path).repeat(200);
    const last = requestBytes('GET', '/info/', ['Connection: close']);
    assert.deepEqual(await statuses(requests + last), Array(201).fill(200));
  });

  for (const [what, garbage, status] of [
    ['a request line without path', 'GET \r\n\r\n', 400],
    ['an unknown method', requestBytes('FOO', '/images/x'), 405],
    ['another protocol', 'GET / HTTP/3.7\r\n\r\n', 400],
    ['a header without colon', 'GET / HTTP/1.1\r\nHost localhost\r\n\r\n', 400],
    ['too long headers', requestBytes('GET', '/', [`X: ${'x'.repeat(20_000)}`]), 431],
  ] as const) {
    test(`answer ${what} with ${status} after the requests before it`, async () => {
      const ticket = await fixture.addImage(Buffer.from('DATA'), { ops: ['read'] });
      const requests = requestBytes('GET', ticket.path) + requestBytes('GET', ticket.path) + garbage;
      assert.deepEqual(await statuses(requests), [200, 200, status]);
      assert.deepEqual(await statuses(garbage, 'local'), [status]);
    });
  }

  test('answer garbage after a request only when its answer, of many buffers, is out', async () => {
    const ticket = await fixture.addImage(largeBytes, { ops: ['read'] });
    const bytes = await fixture.exchangeBytes(`${requestBytes('GET', ticket.path)}GET / HTTP/7\r\n\r\n`);
    const [answer, refusal] = parseAnswers(bytes);
    assert.deepEqual([answer!.status, answer!.complete, refusal!.status], [200, true, 400]);
  });

  for (const [what, request, status] of [
    ['a path', (length: number) => requestBytes('GET', `/images/${'x'.repeat(length)}`), 431],
    ['a header', (length: number) => requestBytes('GET', '/info/', [`X-Long: ${'x'.repeat(length)}`]), 431],
    [
      'many headers',
      (length: number) => requestBytes('GET', '/info/', Array<string>(length / 8).fill('X: yz')),
      431,
    ],
  ] as const) {
    test(`refuse ${what} of more than 16 KiB with ${status}`, async () => {
      assert.deepEqual(await statuses(request(17_000)), [status]);
    });
  }

  test('take headers of nearly 16 KiB', async () => {
    const request = requestBytes('GET', '/info/', [`X-Long: ${'x'.repeat(16_000)}`, 'Connection: close']);
    assert.deepEqual(await statuses(request), [200]);
  });

  test('need a Host on TLS only', async () => {
    const ticket = await fixture.addImage(4);
    const request = (path: string): string => `GET ${path} HTTP/1.1\r\nConnection: close\r\n\r\n`;
    assert.deepEqual(await statuses(request(ticket.path), 'remote'), [400]);
    assert.deepEqual(await statuses(request(ticket.path), 'local'), [200]);
    assert.deepEqual(await statuses(request(`/tickets/${ticket.id}`), 'control'), [200]);
  });

  test('of HTTP/1.0 clients are answered and closed', async () => {
    const ticket = await fixture.addImage(Buffer.from('DATA'), { ops: ['read'] });
    const answer = parseAnswer(await fixture.exchangeBytes(`GET ${ticket.path} HTTP/1.0\r\n\r\n`, 'local'));
    assert.deepEqual([answer.status, answer.body], [200, 'DATA']);
  });
});
