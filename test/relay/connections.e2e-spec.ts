import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { ScriptedDaemon, type Script } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

const reads: Script = ({ request, response }) => {
  response.setHeader('Content-Length', 4);
  request.once('end', () => response.end('done')).resume();
};

/**
 * Reads and answers, except for the first request on a connection that was used before:
 * there the connection is reset.
 */
function stale(): Script {
  const used = new Set<number>();
  return (seen) => {
    if (used.has(seen.connection)) seen.request.socket.destroy();
    else reads(seen);
    used.add(seen.connection);
  };
}

describe('connections to a daemon', () => {
  test('are used for one request after the other, of any client', async () => {
    await using daemon = await ScriptedDaemon.start(identity, reads);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    for (const method of ['OPTIONS', 'GET', 'HEAD', 'PUT', 'PATCH', 'POST']) {
      const body = ['PUT', 'PATCH', 'POST'].includes(method) ? { body: '{}' } : {};
      assert.equal((await relay.client().request(method, imagePath(id), body)).status, 200);
    }
    assert.equal(daemon.seen.length, 6);
    assert.equal(daemon.connectionCount, 1);
  });

  test('are closed when they were idle for long enough', async () => {
    await using daemon = await ScriptedDaemon.start(identity, reads);
    await using relay = await RelayUnderTest.start(pki, { idleSeconds: 0.2 });
    const id = await relay.addTicket(daemon.origin);
    await relay.client().request('GET', imagePath(id));
    const { socket } = (await daemon.request()).request;
    if (!socket.destroyed) await once(socket, 'close');
  });

  test('may be silent for longer while they are in use', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      setTimeout(() => response.end('at last'), 500);
    });
    await using relay = await RelayUnderTest.start(pki, { idleSeconds: 0.1 });
    const id = await relay.addTicket(daemon.origin);
    assert.equal((await relay.client().request('GET', imagePath(id))).text, 'at last');
  });

  test('that the daemon closed just when they were used again are replaced for a GET', async () => {
    await using daemon = await ScriptedDaemon.start(identity, stale());
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    await relay.client().request('GET', imagePath(id));
    assert.equal((await relay.client().request('GET', imagePath(id))).text, 'done');
    assert.deepEqual(
      daemon.seen.map(({ connection }) => connection),
      [1, 1, 2],
    );
  });

  for (const method of ['PUT', 'PATCH']) {
    test(`that broke after data of a ${method} was sent are not: what became of it is unknown`, async () => {
      const used = new Set<number>();
      await using daemon = await ScriptedDaemon.start(identity, (seen) => {
        if (used.has(seen.connection)) seen.request.once('data', () => seen.request.socket.destroy());
        else reads(seen);
        used.add(seen.connection);
      });
      await using relay = await RelayUnderTest.start(pki);
      const id = await relay.addTicket(daemon.origin);
      await relay.client().request('GET', imagePath(id));
      const answer = await relay.client().request(method, imagePath(id), { body: '{"op":"flush"}' });
      assert.equal(answer.status, 502);
      assert.equal(daemon.seen.length, 2);
    });
  }

  test('are replaced for a PUT whose client still waits for 100', async () => {
    const used = new Set<number>();
    await using daemon = await ScriptedDaemon.start(identity, (seen) => {
      used.add(seen.connection);
      reads(seen);
    });
    daemon.expectation = (seen) => {
      if (used.has(seen.connection)) {
        seen.request.socket.destroy();
        return;
      }
      seen.response.writeContinue();
      reads(seen);
    };
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    await relay.client().request('GET', imagePath(id));
    const answer = await relay.client().request('PUT', imagePath(id), {
      headers: { Expect: '100-continue' },
      body: 'data',
      expectContinue: true,
    });
    assert.equal(answer.text, 'done');
  });

  test('are closed when the relay stops', async () => {
    await using daemon = await ScriptedDaemon.start(identity, reads);
    const relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    await relay.client().request('GET', imagePath(id));
    await relay[Symbol.asyncDispose]();
    const { socket } = (await daemon.request()).request;
    if (!socket.destroyed) await once(socket, 'close');
  });
});

describe('the client’s connection', () => {
  test('stays open after a whole answer', async () => {
    await using daemon = await ScriptedDaemon.start(identity, reads);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    const request = `GET ${imagePath(id)} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    await socket.send(request);
    await socket.readUntil('done');
    await socket.send(request);
    await eventually(
      () => (socket.received.toString().split('done').length === 3 ? true : undefined),
      'both answers are here',
    );
  });

  for (const [why, path, status] of [
    ['with close=y', '?close=y', 200],
    ['that is 403', '', 403],
  ] as const) {
    test(`is closed after an answer ${why}`, async () => {
      await using daemon = await ScriptedDaemon.start(identity, ({ response }) =>
        response.writeHead(status).end(),
      );
      await using relay = await RelayUnderTest.start(pki);
      const id = await relay.addTicket(daemon.origin);
      const socket = await relay.connect();
      await socket.sendHead(`GET ${imagePath(id)}${path} HTTP/1.1`, 'Host: localhost');
      assert.match((await socket.readUntilClose()).toString('latin1'), /connection: close\r\n/i);
    });
  }

  test('counts for the ticket while it is open', async () => {
    await using daemon = await ScriptedDaemon.start(identity, reads);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`GET ${imagePath(id)} HTTP/1.1`, 'Host: localhost');
    await socket.readUntil('done');
    assert.equal((await relay.tickets.info(id)).connections, 1);
    socket.close();
    await eventually(
      async () => ((await relay.tickets.info(id)).connections === 0 ? true : undefined),
      'the ticket has no connection',
    );
  });
});
