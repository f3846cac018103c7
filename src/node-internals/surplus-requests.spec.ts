import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { CanaryServer } from './canary-server.js';
import { ListenerRequest, ListenerResponse, sharingSurplus } from './surplus-requests.js';

/**
 * How many different objects a server makes of 500 requests of a connection that is destroyed at the first.
 */
async function objectsOfClosedConnection(): Promise<number> {
  const service = createServer({ IncomingMessage: ListenerRequest, ServerResponse: ListenerResponse });
  const requests = new Set<IncomingMessage>();
  service.on('request', (request) => {
    requests.add(request);
    request.socket.destroy();
  });
  await using server = await CanaryServer.open(service);
  server.connect().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(500));
  const [socket] = (await once(service, 'connection')) as [Socket];
  await once(socket, 'close');
  return requests.size;
}

test('all requests after the end of their connection are one object', async () => {
  assert.equal(await objectsOfClosedConnection(), 2);
});

test('without it each is one of its own', async () => {
  sharingSurplus.turnOff('test');
  assert.equal(await objectsOfClosedConnection(), 500);
});
