import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { cut, ScriptedDaemon, type Script } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();
// docs/protocol.md, "Aborts reach the other side"
const abortLimitMs = 1000;
const sendsForever: Script = ({ response }) => {
  response.writeHead(200, { 'Content-Length': 1e12 });
  const chunk = Buffer.alloc(64 * 1024);
  const send = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', send);
  send();
};

describe('a client that leaves', () => {
  test('in the middle of a download ends the request to the daemon within a second', async () => {
    await using daemon = await ScriptedDaemon.start(identity, sendsForever);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    const response = await relay.client().open('GET', imagePath(id));
    const seen = await daemon.request();
    response.destroy();
    await cut(seen, abortLimitMs);
    await eventually(async () => ((await relay.tickets.info(id)).active ? undefined : true), 'idle');
  });

  test('while the daemon computes an answer and resets the connection ends the request', async () => {
    await using daemon = await ScriptedDaemon.start(identity, () => undefined);
    await using relay = await RelayUnderTest.start(pki, { plainText: true });
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`GET ${imagePath(id)}/checksum HTTP/1.1`, 'Host: localhost');
    const seen = await daemon.request();
    socket.reset();
    await cut(seen, abortLimitMs);
  });

  for (const [how, leave] of [
    ['resets', 'reset'],
    ['closes', 'close'],
  ] as const) {
    test(`in mid-upload and ${how} the connection ends the request within a second`, async () => {
      await using daemon = await ScriptedDaemon.start(identity, ({ request }) => request.resume());
      await using relay = await RelayUnderTest.start(pki, { plainText: true });
      const id = await relay.addTicket(daemon.origin);
      const socket = await relay.connect();
      await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', 'Content-Length: 100');
      await socket.send('half');
      const seen = await daemon.request();
      socket[leave]();
      await cut(seen, abortLimitMs);
      await eventually(async () => ((await relay.tickets.info(id)).active ? undefined : true), 'idle');
    });
  }

  test('only half, in the middle of an upload, gets 400 and the daemon no whole body', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request }) => request.resume());
    await using relay = await RelayUnderTest.start(pki, { plainText: true });
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', 'Content-Length: 100');
    await socket.send('half');
    const seen = await daemon.request();
    socket.halfClose();
    await socket.readUntil('shorter than promised');
    await cut(seen);
    assert.equal(seen.request.complete, false);
  });

  test('only half, after its request, gets the whole answer', async () => {
    await using daemon = await ScriptedDaemon.start(identity, () => undefined);
    await using relay = await RelayUnderTest.start(pki, { plainText: true });
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`GET ${imagePath(id)} HTTP/1.1`, 'Host: localhost');
    const { response } = await daemon.request();
    socket.halfClose();
    response.end('all of it');
    await socket.readUntil('all of it');
  });

  test('a chunked body that is malformed gets 400 and the daemon no whole body', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request }) => request.resume());
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', 'Transfer-Encoding: chunked');
    await socket.send('4\r\ngood\r\n');
    const seen = await daemon.request();
    await socket.send('xyz\r\n');
    await socket.readUntil(' 400 ');
    await cut(seen);
    assert.equal(seen.request.complete, false);
  });
});

describe('a client that stops', () => {
  test('sending is answered 408 after its ticket’s inactivity timeout, not for the daemon', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ request }) => request.resume());
    // Less than the client's silence: the daemon is not the one that is waited for.
    await using relay = await RelayUnderTest.start(pki, { readTimeoutSeconds: 0.3 });
    const id = await relay.addTicket(daemon.origin, { inactivityTimeoutSeconds: 1 });
    const socket = await relay.connect();
    await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', 'Content-Length: 100');
    await socket.send('half');
    await socket.readUntil(' 408 ');
    await cut(await daemon.request());
  });

  test('reading is cut after its ticket’s inactivity timeout', async () => {
    await using daemon = await ScriptedDaemon.start(identity, sendsForever);
    await using relay = await RelayUnderTest.start(pki, { readTimeoutSeconds: 0.3 });
    const id = await relay.addTicket(daemon.origin, { inactivityTimeoutSeconds: 1 });
    const socket = await relay.connect();
    socket.pause();
    await socket.sendHead(`GET ${imagePath(id)} HTTP/1.1`, 'Host: localhost');
    await cut(await daemon.request());
  });
});

describe('memory', () => {
  // What kernel sockets and streams hold on the way; a relay that kept more would keep all.
  const wayBytesMax = 48 * MiB;
  const sizeBytes = 192 * MiB;

  test('of a slow reader holds no more than what is on its way', async () => {
    let sentBytes = 0;
    let readBytes = 0;
    let behindBytesMax = 0;
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      response.writeHead(200, { 'Content-Length': sizeBytes });
      const chunk = Buffer.alloc(MiB);
      const send = (): void => {
        while (sentBytes < sizeBytes) {
          sentBytes += chunk.length;
          behindBytesMax = Math.max(behindBytesMax, sentBytes - readBytes);
          if (sentBytes === sizeBytes) response.end(chunk);
          else if (!response.write(chunk)) return;
        }
      };
      response.on('drain', send);
      send();
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    const response = await relay.client().open('GET', imagePath(id));
    for await (const chunk of response as AsyncIterable<Buffer>) {
      readBytes += chunk.length;
      // Everybody else has several turns for each chunk.
      if (readBytes % 4 === 0) await new Promise(setImmediate);
    }
    assert.equal(readBytes, sizeBytes);
    assert.ok(behindBytesMax < wayBytesMax, `${behindBytesMax} bytes were on their way`);
  });

  test('of a slow daemon holds no more than what is on its way', async () => {
    let sentBytes = 0;
    let behindBytesMax = 0;
    let receivedBytes = 0;
    await using daemon = await ScriptedDaemon.start(identity, ({ request, response }) => {
      void (async () => {
        for await (const chunk of request as AsyncIterable<Buffer>) {
          receivedBytes += chunk.length;
          await new Promise(setImmediate);
        }
        response.end();
      })();
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const socket = await relay.connect();
    await socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', `Content-Length: ${sizeBytes}`);
    const chunk = Buffer.alloc(MiB);
    while (sentBytes < sizeBytes) {
      await socket.send(chunk);
      sentBytes += chunk.length;
      behindBytesMax = Math.max(behindBytesMax, sentBytes - receivedBytes);
    }
    await socket.readUntil(' 200 ');
    assert.equal(receivedBytes, sizeBytes);
    assert.ok(behindBytesMax < wayBytesMax, `${behindBytesMax} bytes were on their way`);
  });
});
