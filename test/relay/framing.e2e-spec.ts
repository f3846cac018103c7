import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { imagePath } from '../support/client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { ScriptedDaemon, type Script } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

const echoes: Script = ({ request, response }) => {
  void buffer(request).then((body) => {
    response.end(`daemon got ${body.length} bytes`);
  });
};

/** What a body may hide behind the end of its request. */
const hidden = (id: string): string => `DELETE ${imagePath(id)} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

describe('a request whose method has no body to relay', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    for (const framing of ['chunked', 'length'] as const) {
      test(`is one request to the daemon: ${method} with a body by ${framing}`, async () => {
        await using daemon = await ScriptedDaemon.start(identity, echoes);
        await using relay = await RelayUnderTest.start(pki);
        const id = await relay.addTicket(daemon.origin);
        const body = hidden(id);
        const socket = await relay.connect();
        if (framing === 'chunked') {
          await socket.sendHead(
            `${method} ${imagePath(id)} HTTP/1.1`,
            'Host: localhost',
            'Transfer-Encoding: chunked',
          );
          await socket.send(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
        } else {
          await socket.sendHead(
            `${method} ${imagePath(id)} HTTP/1.1`,
            'Host: localhost',
            `Content-Length: ${body.length}`,
          );
          await socket.send(body);
        }
        await socket.readUntil('HTTP/1.1 200 OK\r\n');
        // The connection to the daemon is used again, so anything left on it would come before this.
        const next = await relay.client().request('GET', imagePath(id));
        assert.equal(next.text, 'daemon got 0 bytes');
        assert.deepEqual(
          daemon.seen.map(({ request }) => request.method),
          [method, 'GET'],
        );
        assert.equal(daemon.seen[0]?.request.headers['transfer-encoding'], undefined);
      });
    }
  }

  test('is refused before the daemon hears of it: DELETE with a chunked body', async () => {
    await using daemon = await ScriptedDaemon.start(identity, echoes);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const body = hidden(id);
    const socket = await relay.connect();
    await socket.sendHead(
      `DELETE ${imagePath(id)} HTTP/1.1`,
      'Host: localhost',
      'Transfer-Encoding: chunked',
    );
    await socket.send(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    await socket.readUntil(' 405 ');
    assert.equal(daemon.seen.length, 0);
  });
});

describe('the framing of an upload', () => {
  test('by Content-Length stays so', async () => {
    await using daemon = await ScriptedDaemon.start(identity, echoes);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    await relay.client().request('PUT', imagePath(id), { body: 'data' });
    const { headers } = (await daemon.request()).request;
    assert.equal(headers['content-length'], '4');
    assert.equal(headers['transfer-encoding'], undefined);
  });

  test('by chunks stays so', async () => {
    await using daemon = await ScriptedDaemon.start(identity, echoes);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', 'Transfer-Encoding: chunked');
    await socket.send('4\r\ndata\r\n0\r\n\r\n');
    await socket.readUntil('daemon got 4 bytes');
    const { headers } = (await daemon.request()).request;
    assert.equal(headers['transfer-encoding'], 'chunked');
    assert.equal(headers['content-length'], undefined);
  });

  test('that is missing is not invented', async () => {
    await using daemon = await ScriptedDaemon.start(identity, echoes);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost');
    await socket.readUntil('daemon got 0 bytes');
    const { headers } = (await daemon.request()).request;
    assert.equal(headers['transfer-encoding'], undefined);
    assert.equal(headers['content-length'], undefined);
  });

  test('that Connection asks to drop stays', async () => {
    await using daemon = await ScriptedDaemon.start(identity, echoes);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(
      `PUT ${imagePath(id)} HTTP/1.1`,
      'Host: localhost',
      'Connection: content-length',
      'Content-Length: 4',
    );
    await socket.send('data');
    await socket.readUntil('daemon got 4 bytes');
    assert.equal((await daemon.request()).request.headers['content-length'], '4');
  });

  test('by both length and chunks is refused before the daemon hears of it', async () => {
    await using daemon = await ScriptedDaemon.start(identity, echoes);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(
      `PUT ${imagePath(id)} HTTP/1.1`,
      'Host: localhost',
      'Content-Length: 4',
      'Transfer-Encoding: chunked',
    );
    await socket.readUntil(' 400 ');
    assert.equal(daemon.seen.length, 0);
  });
});

describe('the framing of an answer', () => {
  test('to HEAD keeps the length of the body that is not there', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      response.writeHead(200, { 'Content-Length': 12345 }).end();
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const answer = await relay.client().request('HEAD', imagePath(id));
    assert.equal(answer.headers['content-length'], '12345');
    assert.equal(answer.body.length, 0);
  });

  test('without a length goes in chunks, as it comes', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      response.write('[');
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`GET ${imagePath(id)}/extents HTTP/1.1`, 'Host: localhost');
    await socket.readUntil('1\r\n[\r\n');
    (await daemon.request()).response.end(']');
    await socket.readUntil('1\r\n]\r\n0\r\n\r\n');
  });

  test('is told before the body is there', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      response.writeHead(200, { 'Content-Length': 4 }).flushHeaders();
    });
    await using relay = await RelayUnderTest.start(pki);
    const response = await relay.client().open('GET', imagePath(await relay.addTicket(daemon.origin)));
    assert.equal(response.headers['content-length'], '4');
    (await daemon.request()).response.end('data');
    assert.equal((await buffer(response)).toString(), 'data');
  });
});
