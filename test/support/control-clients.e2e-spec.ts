import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { callAsJavaEngine } from './java-engine.js';
import { TemporaryFolder } from './temporary-folder.js';
import { DaemonError, Vdsm, type TicketDocument } from './vdsm.js';

const ticket: TicketDocument = {
  uuid: '00000001-0000-4000-8000-000000000001',
  size: 4096,
  ops: ['read'],
  timeout: 300,
  url: 'file:///image',
};

describe('clients of the control service', () => {
  const received: { request: IncomingMessage; body: string }[] = [];
  let folder: TemporaryFolder;
  let server: Server;
  let control: { kind: 'unix'; path: string };
  before(async () => {
    folder = await TemporaryFolder.create();
    control = { kind: 'unix', path: folder.file('sock') };
    // Tickets are kept by the path, whose answer tells what was stored.
    const tickets = new Map<string, string>();
    server = createServer({ requireHostHeader: false }, (request, response) => {
      void text(request).then((body) => {
        received.push({ request, body });
        const path = request.url ?? '';
        if (request.method === 'PUT') tickets.set(path, body);
        if (request.method === 'DELETE') {
          tickets.delete(path);
          response.writeHead(204).end();
          return;
        }
        const stored = tickets.get(path);
        if (stored === undefined) response.writeHead(404).end('No such ticket\n');
        else response.end(request.method === 'GET' ? stored : undefined);
      });
    });
    server.listen(control.path);
    await once(server, 'listening');
  });
  after(async () => {
    server.close();
    await folder[Symbol.asyncDispose]();
  });

  test('vdsm adds, reads and removes a ticket without ever naming a content type', async () => {
    const vdsm = new Vdsm(control);
    await vdsm.addTicket(ticket);
    assert.deepEqual(await vdsm.getTicket(ticket.uuid), ticket);
    await vdsm.removeTicket(ticket.uuid);
    for (const { request } of received) {
      assert.equal(request.headers.host, 'localhost');
      assert.equal(request.headers['content-type'], undefined);
    }
  });

  test('vdsm reports an error with status, reason and body', async () => {
    await assert.rejects(new Vdsm(control).getTicket('none'), (error: unknown) => {
      assert.ok(error instanceof DaemonError);
      assert.equal(error.message, 'status=404, reason=Not Found, error=No such ticket');
      return true;
    });
  });

  test('vdsm sends a ticket given as text byte for byte', async () => {
    const exact = '{"uuid":"exact","size":18446744073709551616}';
    await new Vdsm(control).addTicket(exact);
    assert.equal(received.at(-1)?.body, exact);
  });

  test('the Java engine sends neither Host nor Content-Type', async () => {
    const path = `/tickets/${ticket.uuid}`;
    const put = await callAsJavaEngine(control, 'PUT', path, JSON.stringify(ticket));
    assert.deepEqual([put.status, put.reason], [200, 'OK']);
    assert.deepEqual(received.at(-1)?.request.rawHeaders, [
      'Content-Length',
      String(JSON.stringify(ticket).length),
    ]);
    const get = await callAsJavaEngine(control, 'GET', path);
    assert.deepEqual(JSON.parse(get.body), ticket);
    assert.deepEqual(received.at(-1)?.request.rawHeaders, []);
    const deleted = await callAsJavaEngine(control, 'DELETE', path);
    assert.deepEqual([deleted.status, deleted.body], [204, '']);
  });
});
