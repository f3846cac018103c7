import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { GiB, MiB } from '../../src/base/units.js';
import { within } from '../support/deadline.js';
import { sha256OfFile } from '../support/images.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

const largeBytes = 512 * MiB;
const canceled = 'You are not allowed to access this resource: Ticket was canceled\n';
/**
 * No client and no long operation holds a removal up, only the one I/O in flight does. A busy machine may
 * need seconds for it, what runs would take minutes.
 */
const promptMs = 15_000;

// Sparse zeroes of 100 GiB take milliseconds; this is near the most that ext4 holds in one
// file. It still takes a second or two, so many requests zero it at once: they take turns, and
// none is done before all nearly are.
const zeroBytes = 15 * 1024 * GiB;
const zeroRequestCount = 40;

describe('removing a ticket', () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  async function remove({ id }: ImageTicket): Promise<void> {
    await within(fixture.vdsm.removeTicket(id), 'the removal', { deadlineMs: promptMs });
    assert.equal((await fixture.vdsm.request('GET', `/tickets/${id}`)).status, 404);
  }

  /** Sends an endless upload until its connection ends. */
  async function upload(ticket: ImageTicket): Promise<Buffer> {
    const socket = await fixture.connect('local');
    await socket.send(requestBytes('PUT', ticket.path, [`Content-Length: ${largeBytes}`]));
    const chunk = Buffer.alloc(MiB, 'x');
    for (let sentBytes = 0; sentBytes < largeBytes && !socket.closed; sentBytes += chunk.length) {
      await socket.send(chunk);
    }
    return socket.readUntilClose();
  }

  test('while a PUT writes ends the writing for good, and its client gets 403', async () => {
    const ticket = await fixture.addImage(0, { size: largeBytes });
    const uploading = upload(ticket);
    await fixture.ticketState(ticket, ({ transferred }) => transferred! > 16 * MiB, 'it is written');
    await remove(ticket);
    const right = await sha256OfFile(ticket.file);
    const answer = parseAnswer(await uploading);
    assert.deepEqual([answer.status, answer.headers['connection'], answer.body], [403, 'close', canceled]);
    await delay(2000);
    assert.equal(await sha256OfFile(ticket.file), right);
    assert.ok((await stat(ticket.file)).size < largeBytes);
    assert.equal(await fixture.openFiles(ticket.file), 0);
  });

  test('while the client idles in mid-body does not wait for the client, who gets 403', async () => {
    const ticket = await fixture.addImage(100);
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 100'], 'x'.repeat(50)));
    await fixture.ticketState(ticket, ({ active }) => active, 'the upload runs');
    await remove(ticket);
    const content = await fixture.contentOf(ticket);
    await socket.send('y'.repeat(50));
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual([answer.status, answer.headers['connection'], answer.body], [403, 'close', canceled]);
    assert.ok((await fixture.contentOf(ticket)).equals(content));
  });

  test('while a GET streams cuts it', async () => {
    const ticket = await fixture.addImage(largeBytes, { ops: ['read'] });
    const socket = await fixture.connect();
    await socket.send(requestBytes('GET', ticket.path));
    await socket.readAtLeast(MiB);
    await remove(ticket);
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual([answer.status, answer.complete], [200, false]);
    assert.equal(await fixture.openFiles(ticket.file), 0);
  });

  test('while the client of a GET does not read cuts it', async () => {
    const ticket = await fixture.addImage(largeBytes, { ops: ['read'] });
    const socket = await fixture.connect();
    await socket.send(requestBytes('GET', ticket.path));
    await socket.readAtLeast(1);
    socket.pause();
    await remove(ticket);
    socket.resume();
    assert.equal(parseAnswer(await socket.readUntilClose()).complete, false);
  });

  test('while terabytes are zeroed ends that, and its clients get 403', async () => {
    const ticket = await fixture.addImage(0, { size: zeroBytes, sparse: true });
    const body = JSON.stringify({ op: 'zero', offset: 0, size: zeroBytes });
    const zeroes = Array.from({ length: zeroRequestCount }, () =>
      fixture.client('local').request('PATCH', ticket.path, { body }),
    );
    await fixture.ticketState(ticket, ({ transferred }) => transferred! > 0, 'it is zeroed');
    await remove(ticket);
    const right = await stat(ticket.file);
    for (const { status, text } of await Promise.all(zeroes)) {
      // One that had not begun yet finds the ticket gone.
      assert.equal(status, 403);
      assert.ok(text === canceled || text.includes('No such ticket'), text);
    }
    await delay(2000);
    const later = await stat(ticket.file);
    assert.deepEqual([later.size, later.blocks, later.mtimeMs], [right.size, right.blocks, right.mtimeMs]);
    assert.ok(right.size < zeroBytes);
  });

  test('closes the images of idle connections, which can go on with other tickets', async () => {
    const ticket = await fixture.addImage(4);
    const other = await fixture.addImage(Buffer.from('other'));
    const socket = await fixture.connect();
    await socket.send(requestBytes('OPTIONS', ticket.path));
    await socket.readUntil('}');
    assert.equal(await fixture.openFiles(ticket.file), 1);
    await remove(ticket);
    assert.equal(await fixture.openFiles(ticket.file), 0);
    await socket.send(requestBytes('GET', other.path));
    await socket.readUntil('other');
    await socket.send(requestBytes('GET', ticket.path));
    await socket.readUntil('No such ticket');
  });

  test('twice at the same time succeeds twice', async () => {
    const ticket = await fixture.addImage(100);
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 100'], 'x'));
    await fixture.ticketState(ticket, ({ active }) => active, 'the upload runs');
    await Promise.all([remove(ticket), remove(ticket)]);
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 403);
  });
});

describe('removing all tickets', () => {
  test('ends twenty running transfers', async () => {
    await using fixture = await DaemonUnderTest.start();
    const sockets = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const socket = await fixture.connect();
        if (index % 2 === 0) {
          const ticket = await fixture.addImage(100);
          await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 100'], 'x'));
          await fixture.ticketState(ticket, ({ active }) => active, 'the upload runs');
        } else {
          const ticket = await fixture.addImage(largeBytes, { ops: ['read'] });
          socket.pause();
          await socket.send(requestBytes('GET', ticket.path));
          await fixture.ticketState(ticket, ({ active }) => active, 'the download runs');
        }
        return socket;
      }),
    );
    const answer = await within(fixture.vdsm.request('DELETE', '/tickets/'), 'the removal', {
      deadlineMs: promptMs,
    });
    assert.equal(answer.status, 204);
    assert.deepEqual(await fixture.vdsm.listTickets(), []);
    for (const socket of sockets) {
      socket.resume();
      const { status, complete } = parseAnswer(await socket.readUntilClose());
      assert.ok(status === 403 || (status === 200 && !complete));
    }
  });
});
