import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { cut, ScriptedDaemon, type Script } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

const enough = 'enough\n';

const refuses: Script = ({ request, response }) => {
  response.writeHead(416, { 'Content-Type': 'text/plain', 'Content-Range': 'bytes */10' }).end('too far\n');
  request.resume();
};

describe('an answer while the client uploads', () => {
  test('is read by a client that sends 50 MB, every time', async () => {
    await using daemon = await ScriptedDaemon.start(identity, refuses);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const body = Buffer.alloc(50 * MiB);
    for (let round = 0; round < 20; round++) {
      const answer = await relay.client().request('PUT', imagePath(id), { body });
      assert.equal(answer.status, 416);
      assert.equal(answer.text, 'too far\n');
      assert.equal(answer.headers['content-range'], 'bytes */10');
    }
    assert.equal(daemon.seen.length, 20);
  });

  test('ends both connections, since what is left of the body is no request', async () => {
    await using daemon = await ScriptedDaemon.start(identity, refuses);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', 'Content-Length: 1000');
    await socket.send('some');
    const received = await socket.readUntilClose();
    assert.match(received.toString('latin1'), /^HTTP\/1\.1 416 .*connection: close\r\n/is);
    await cut(await daemon.request());
  });

  test('comes before the client has sent any of its body', async () => {
    await using daemon = await ScriptedDaemon.start(identity, refuses);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', 'Content-Length: 1000');
    await socket.readUntil('too far');
  });

  test('leaves no connection that is blocked by a body that nobody reads to a later request', async () => {
    const bodyBytes = 300_000;
    // It keeps the connection but reads no more: the kernels hold what is left of the body.
    await using daemon = await ScriptedDaemon.start(identity, () => undefined);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { ops: ['write'] });
    const client = relay.client();
    const answered = client.request('PUT', imagePath(id), { body: Buffer.alloc(bodyBytes) });
    const { request } = await daemon.request();
    await eventually(async () => {
      const { transferredBytes } = await relay.tickets.info(id);
      return transferredBytes === bodyBytes ? true : undefined;
    }, 'the proxy has sent all of the body');
    request.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${enough.length}\r\n\r\n${enough}`);
    assert.equal((await answered).text, enough);
    daemon.script = ({ response }) => response.end(enough);
    assert.equal((await client.request('PATCH', imagePath(id), { body: '{"op":"flush"}' })).text, enough);
    assert.equal(daemon.connectionCount, 2);
  });

  test('is relayed when the daemon closes at once after it', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request, response }) => {
      response.writeHead(403, { Connection: 'close' }).end('no\n', () => {
        request.socket.destroySoon();
      });
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', 'Content-Length: 1000');
    await socket.readUntil(' 403 ');
  });
});

describe('Expect: 100-continue', () => {
  const expecting = (id: string, lengthBytes: number): string[] => [
    `PUT ${imagePath(id)} HTTP/1.1`,
    'Host: localhost',
    'Expect: 100-continue',
    `Content-Length: ${lengthBytes}`,
  ];

  test('is answered with 100 only when the daemon did', async () => {
    await using daemon = await ScriptedDaemon.start(identity);
    daemon.expectation = () => undefined;
    await using relay = await RelayUnderTest.start(pki);
    const socket = await relay.connect();
    await socket.sendHead(...expecting(await relay.addTicket(daemon.origin), 4));
    const { request, response } = await daemon.request();
    assert.equal(request.headers.expect, '100-continue');
    assert.equal(socket.received.length, 0);
    response.writeContinue();
    await socket.readUntil('HTTP/1.1 100 Continue\r\n\r\n');
    await socket.send('data');
    request.once('end', () => response.end('written')).resume();
    await socket.readUntil('written');
  });

  test('is refused without 100 when the daemon refuses', async () => {
    await using daemon = await ScriptedDaemon.start(identity);
    daemon.expectation = ({ response }) => response.writeHead(403).end('no\n');
    await using relay = await RelayUnderTest.start(pki);
    const socket = await relay.connect();
    await socket.sendHead(...expecting(await relay.addTicket(daemon.origin), 4));
    const received = (await socket.readUntilClose()).toString('latin1');
    assert.match(received, /^HTTP\/1\.1 403 /);
  });

  test('is refused by the proxy itself without asking the daemon', async () => {
    await using daemon = await ScriptedDaemon.start(identity);
    await using relay = await RelayUnderTest.start(pki);
    const socket = await relay.connect();
    await socket.sendHead(...expecting('unknown', 4));
    assert.match((await socket.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 401 /);
    assert.equal(daemon.connectionCount, 0);
  });

  test('works in a client that waits for it', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request, response }) => {
      request.once('end', () => response.end()).resume();
    });
    await using relay = await RelayUnderTest.start(pki);
    const answer = await relay.client().request('PUT', imagePath(await relay.addTicket(daemon.origin)), {
      headers: { Expect: '100-continue' },
      body: Buffer.alloc(3 * MiB),
      expectContinue: true,
    });
    assert.equal(answer.status, 200);
  });

  test('is answered with 504 when the daemon says nothing', async () => {
    await using daemon = await ScriptedDaemon.start(identity);
    daemon.expectation = () => undefined;
    await using relay = await RelayUnderTest.start(pki, { readTimeoutSeconds: 0.2 });
    const socket = await relay.connect();
    await socket.sendHead(...expecting(await relay.addTicket(daemon.origin), 4));
    await socket.readUntil('HTTP/1.1 504 ');
  });
});
