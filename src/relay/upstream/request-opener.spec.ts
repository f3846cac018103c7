import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse, type ClientRequest } from 'node:http';
import { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { DaemonAgents } from '../../daemons/daemon-agents.js';
import type { DaemonTarget } from '../../daemons/ticket-url.js';
import { RequestOpener } from './request-opener.js';
import type { RelayedHeaders } from './relayed-request.js';

/**
 * A request to a daemon for a client that has sent a header of its own. It is destroyed before it has a
 * connection.
 */
function open(
  context: TestContext,
  {
    origin = 'http://127.0.0.1:9',
    path = '/images/ticket',
  }: { readonly origin?: string; readonly path?: string },
  { method = 'GET', headers = {} }: { readonly method?: string; readonly headers?: RelayedHeaders } = {},
): { readonly opened: ClientRequest; readonly client: IncomingMessage } {
  const client = new IncomingMessage(new Socket());
  Object.assign(client, { method, url: '/of/the/client', headers: { authorization: 'Bearer secret' } });
  const agents = new DaemonAgents({ caPem: undefined });
  const target: DaemonTarget = { origin: new URL(origin), path };
  const opened = new RequestOpener(agents).open(
    { request: client, response: new ServerResponse(client) },
    target,
    headers,
  );
  context.after(() => {
    opened.destroy();
    agents.close();
  });
  return { opened, client };
}

for (const path of ['/images/a/../b', '/images//a%2fb', '/images/%61?x=%5B&y', '/images/a?next=/b?c']) {
  test(`asks for the path as it is: ${path}`, (context) => {
    assert.equal(open(context, { path }).opened.path, path);
  });
}

test('shows a daemon the given headers alone', (context) => {
  const headers = { range: 'bytes=0-3', constructor: 'x', ['__proto__']: 'y', 'x-many': ['1', '2'] };
  const { opened } = open(context, {}, { method: 'PUT', headers });
  assert.equal(opened.method, 'PUT');
  assert.deepEqual({ ...opened.getHeaders() }, { ...headers, host: '127.0.0.1:9' });
});

test('asks with no body until it is told to', (context) => {
  const { opened } = open(context, {}, { method: 'PUT' });
  assert.equal(opened.headersSent, false);
  assert.equal(opened.writableEnded, false);
});

test("leaves the client's request as it was, without listeners", (context) => {
  const { client } = open(context, {}, { method: 'OPTIONS' });
  assert.deepEqual(client.eventNames(), []);
  assert.deepEqual(client.headers, { authorization: 'Bearer secret' });
});

test('connects to an IPv6 address without the brackets of its URL', (context) => {
  assert.equal(open(context, { origin: 'http://[::1]:9' }).opened.host, '::1');
});
