import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { eventually } from '../support/deadline.js';
import { RawSocket } from '../support/raw-socket.js';
import { monitored } from './monitoring.js';
import { parseAnswer, parseAnswers, requestBytes } from './raw-answers.js';
import { allWireRoutes, describeWire, type Wire } from './wire-under-test.js';

const untouched = Buffer.from('untouched');
const chunks = '4\r\nEVIL\r\n0\r\n\r\n';

const otherCodings: readonly (readonly string[])[] = [
  ['Transfer-Encoding: gzip, chunked'],
  ['Transfer-Encoding: identity, chunked'],
  ['Transfer-Encoding: deflate,gzip,chunked'],
  ['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'],
  ['Transfer-Encoding: ,chunked'],
  ['Transfer-Encoding: chunked, gzip'],
  ['Transfer-Encoding: chunked, chunked'],
  ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
  ['Transfer-Encoding: chunked,'],
  ['Transfer-Encoding: chunked;q=1'],
  ['Transfer-Encoding: xchunked'],
  ['Transfer-Encoding: gzip'],
  ['Transfer-Encoding: identity'],
  ['Transfer-Encoding:'],
];

const wrapped: readonly (readonly string[])[] = [
  ['Content-Encoding: gzip'],
  ['Content-Encoding: GZIP'],
  ['Content-Encoding: identity, br'],
  ['Content-Encoding: identity', 'Content-Encoding: zstd'],
  ['Content-Type: multipart/form-data; boundary=x'],
  ['Content-Type: Multipart/Mixed'],
  ['Content-Type: multipart/byteranges, application/json'],
  ['Content-Type: application/octet-stream', 'Content-Type: multipart/form-data'],
];

describeWire('coded bodies', { routes: allWireRoutes, configuration: monitored }, (wire) => {
  for (const headers of otherCodings) {
    for (const method of ['PUT', 'PATCH', 'GET']) {
      test(`a ${method} is refused with 501 and ends the connection: ${headers.join()}`, async () => {
        const ticket = await wire.addImage(untouched);
        const next = wire.request('GET', ticket.path);
        const answers = parseAnswers(
          await wire.exchangeBytes(wire.request(method, ticket.path, headers, chunks + next)),
        );
        assert.deepEqual(
          answers.map((answer) => [answer.status, answer.headers['connection'], answer.body]),
          [[501, 'close', 'Transfer-Encoding must be chunked, alone and once\n']],
        );
        assert.ok((await wire.contentOf(ticket)).equals(untouched));
      });
    }
  }

  test('a body in chunks may be announced in any case', async () => {
    const ticket = await wire.addImage(untouched);
    const head = ['Transfer-Encoding: Chunked', 'Connection: close'];
    const answer = parseAnswer(
      await wire.exchangeBytes(wire.request('PUT', ticket.path, head, '4\r\nDATA\r\n0\r\n\r\n')),
    );
    assert.equal(answer.status, 200);
    assert.equal((await wire.contentOf(ticket)).toString(), 'DATAuched');
  });

  for (const coding of ['chunked', 'gzip, chunked', 'gzip']) {
    test(`a request of HTTP/1.0 is refused with 400: Transfer-Encoding: ${coding}`, async () => {
      const ticket = await wire.addImage(untouched);
      const request = wire.request('PUT', ticket.path, [`Transfer-Encoding: ${coding}`], chunks);
      const answer = parseAnswer(await wire.exchangeBytes(request.replace('HTTP/1.1', 'HTTP/1.0')));
      assert.deepEqual([answer.status, answer.headers['connection']], [400, 'close']);
      assert.ok((await wire.contentOf(ticket)).equals(untouched));
    });
  }

  for (const headers of wrapped) {
    test(`an upload is refused with 415: ${headers.join()}`, async () => {
      const ticket = await wire.addImage(untouched);
      const id = randomUUID();
      const head = [...headers, 'Content-Length: 4', `X-Request-Id: ${id}`];
      const answer = parseAnswer(await wire.exchangeBytes(wire.request('PUT', ticket.path, head, 'EVIL')));
      assert.deepEqual([answer.status, answer.headers['connection']], [415, 'close']);
      assert.match(answer.body, /^(?:Content-Encoding is|multipart bodies are) not supported, send /);
      assert.ok((await wire.contentOf(ticket)).equals(untouched));
      assert.equal(await reachesDaemon(wire, ticket.path, id), !wire.isRelayed);
    });
  }

  test('an upload of unknown ticket is refused with 415 first', async () => {
    const path = await wire.addUnknownImage();
    const head = ['Content-Encoding: gzip', 'Content-Length: 4'];
    assert.equal(parseAnswer(await wire.exchangeBytes(wire.request('PUT', path, head, 'EVIL'))).status, 415);
  });

  test('an upload is refused with 415 before the client sends its body', async () => {
    const ticket = await wire.addImage(untouched);
    const head = ['Content-Type: multipart/form-data', 'Content-Length: 4', 'Expect: 100-continue'];
    assert.equal(parseAnswer(await wire.exchangeBytes(wire.request('PUT', ticket.path, head))).status, 415);
  });

  test('an upload whose coding is identity is taken', async () => {
    const ticket = await wire.addImage(untouched);
    for (const coding of ['identity', 'Identity, identity', '']) {
      const headers = { 'Content-Encoding': coding };
      const answer = await wire.client().request('PUT', ticket.path, { headers, body: 'DATA' });
      assert.equal(answer.status, 200);
    }
  });

  test('a compressed operation is refused with 415', async () => {
    const ticket = await wire.addImage(untouched);
    const answer = await wire.client().request('PATCH', ticket.path, {
      headers: { 'Content-Encoding': 'gzip' },
      body: gzipSync(JSON.stringify({ op: 'zero', size: untouched.length })),
    });
    assert.equal(answer.status, 415);
    assert.ok((await wire.contentOf(ticket)).equals(untouched));
  });

  describe('at the other routes', () => {
    for (const [listener, method, path] of [
      ['remote', 'GET', '/info/'],
      ['remote', 'POST', '/sessions/'],
      ['remote', 'PUT', '/tickets/'],
      ['control', 'PUT', '/tickets/x'],
      ['control', 'PATCH', '/tickets/x'],
      ['control', 'DELETE', '/tickets/x'],
      ['metrics', 'GET', '/metrics'],
    ] as const) {
      test(`${method} ${path} is refused with 501 for another transfer coding`, async () => {
        const socket = await RawSocket.connect(wire.service.address(listener));
        try {
          await socket.send(requestBytes(method, path, ['Transfer-Encoding: gzip, chunked'], chunks));
          const answer = parseAnswer(await socket.readUntilClose());
          assert.deepEqual([answer.status, answer.headers['connection']], [501, 'close']);
        } finally {
          socket.close();
        }
      });
    }

    test('a compressed ticket is refused with 415', async () => {
      const socket = await RawSocket.connect(wire.service.address('control'));
      try {
        const id = randomUUID();
        const ticket = JSON.stringify({ uuid: id, size: 1, ops: ['read'], timeout: 1, url: 'file:///x' });
        const head = ['Content-Encoding: gzip', `Content-Length: ${ticket.length}`, 'Connection: close'];
        await socket.send(requestBytes('PUT', `/tickets/${id}`, head, ticket));
        assert.equal(parseAnswer(await socket.readUntilClose()).status, 415);
        await assert.rejects(wire.service.vdsm.getTicket(id), /No such ticket/);
      } finally {
        socket.close();
      }
    });
  });
});

/** Whether the daemon has logged the request, once it has logged one that was sent later. */
async function reachesDaemon(wire: Wire, path: string, requestId: string): Promise<boolean> {
  const later = randomUUID();
  await wire.client().request('GET', path, { headers: { 'X-Request-Id': later } });
  const logged = (id: string) => wire.daemon.daemon.log.some(({ request_id }) => request_id === id);
  await eventually(() => logged(later) || undefined, 'the daemon has logged the later request');
  return logged(requestId);
}
