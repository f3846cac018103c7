import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

const bufferBytes = 64 * KiB;

describe('the expiry of a ticket', { concurrency: true }, () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start({ limits: { buffer_bytes: bufferBytes } });
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  test('does not come while an upload moves bytes', async () => {
    const count = 40;
    const ticket = await fixture.addImage(count * bufferBytes, { timeout: 5 });
    const socket = await fixture.connect();
    const headers = [`Content-Length: ${count * bufferBytes}`, 'Connection: close'];
    await socket.send(requestBytes('PUT', ticket.path, headers));
    // Eight seconds: longer than the timeout, of which each pause is a small part.
    for (let sent = 0; sent < count; sent++) {
      await delay(200);
      await socket.send(Buffer.alloc(bufferBytes, 'x'));
    }
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, count * bufferBytes);
  });

  test('ends an upload that has stopped moving', async () => {
    const ticket = await fixture.addImage(100);
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 100'], 'x'.repeat(10)));
    await fixture.ticketState(ticket, ({ transferred }) => transferred === 10, 'all that was sent is there');
    await fixture.vdsm.extendTicket(ticket.id, 1);
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual(
      [answer.status, answer.body],
      [403, 'You are not allowed to access this resource: Ticket expired\n'],
    );
    await fixture.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'it is idle',
    );
    assert.equal((await fixture.client().request('GET', ticket.path)).status, 403);
  });

  test('cuts a download that has stopped moving', async () => {
    const ticket = await fixture.addImage(64 * MiB, { ops: ['read'], timeout: 5 });
    const socket = await fixture.connect();
    socket.pause();
    await socket.send(requestBytes('GET', ticket.path));
    await fixture.ticketState(ticket, ({ transferred }) => transferred! > 0, 'the download runs');
    await fixture.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'it was cut',
    );
    socket.resume();
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual([answer.status, answer.complete], [200, false]);
  });

  test('is put off by extending the ticket of a running upload', async () => {
    const ticket = await fixture.addImage(10);
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 10', 'Connection: close'], 'x'));
    await fixture.ticketState(ticket, ({ transferred }) => transferred === 1, 'the upload runs');
    await fixture.vdsm.extendTicket(ticket.id, 3);
    await fixture.vdsm.extendTicket(ticket.id, 300);
    await delay(3500);
    assert.equal((await fixture.vdsm.getTicket(ticket.id)).active, true);
    await socket.send('y'.repeat(9));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    assert.equal((await fixture.contentOf(ticket)).toString(), 'xyyyyyyyyy');
  });

  test('comes at once when the ticket is extended by 0, and a running upload ends', async () => {
    const ticket = await fixture.addImage(10);
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 10'], 'x'));
    await fixture.ticketState(ticket, ({ active }) => active, 'the upload runs');
    await fixture.vdsm.extendTicket(ticket.id, 0);
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 403);
  });

  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'OPTIONS']) {
    test(`refuses ${method}, which does not renew it, until the ticket is extended`, async () => {
      const ticket = await fixture.addImage(4);
      const body = method === 'PUT' ? 'DATA' : method === 'PATCH' ? '{"op":"flush"}' : undefined;
      const details = body === undefined ? {} : { body };
      await fixture.vdsm.extendTicket(ticket.id, 0);
      const { expires } = await fixture.vdsm.getTicket(ticket.id);
      const client = fixture.client();
      for (let attempt = 0; attempt < 2; attempt++) {
        assert.equal((await client.request(method, ticket.path, details)).status, 403);
      }
      assert.equal((await fixture.vdsm.getTicket(ticket.id)).expires, expires);
      await fixture.vdsm.extendTicket(ticket.id, 60);
      assert.equal((await client.request(method, ticket.path, details)).status, 200);
    });
  }

  test('of a ticket with timeout 0 is at once', async () => {
    const ticket = await fixture.addImage(4, { timeout: 0 });
    assert.equal((await fixture.client().request('GET', ticket.path)).status, 403);
  });
});
