import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import { assertSameImage } from '../support/images.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

const image = randomBytes(10 * MiB + 13);

describe('a transfer', { concurrency: true }, () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  async function expiry({ id }: ImageTicket): Promise<void> {
    const { expires } = await fixture.vdsm.getTicket(id);
    await eventually(
      () => (Number(process.hrtime.bigint()) / 1e9 > expires ? true : undefined),
      'it expires',
    );
  }

  test('uploads, is paused until its ticket expires, is extended, resumed, watched and removed', async () => {
    const source = fixture.folder.file('upload-source');
    await writeFile(source, image);
    const ticket = await fixture.addImage(0, { size: image.length, timeout: 1 });
    const client = fixture.client();
    const pausedAt = 4 * MiB;
    await fixture.vdsm.extendTicket(ticket.id, 300);
    await client.capabilities(ticket.id);
    await fixture.vdsm.extendTicket(ticket.id, 300);
    await client.write(ticket.id, image.subarray(0, pausedAt), 0);
    assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, pausedAt);

    await expiry(ticket);
    const refused = await client.request('PUT', ticket.path, { body: 'x' });
    assert.deepEqual(
      [refused.status, refused.text],
      [403, 'You are not allowed to access this resource: Ticket expired\n'],
    );
    assert.ok((await fixture.contentOf(ticket)).equals(image.subarray(0, pausedAt)));
    assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, pausedAt);

    await fixture.vdsm.extendTicket(ticket.id, 300);
    await client.write(ticket.id, image.subarray(pausedAt), pausedAt);
    await fixture.vdsm.extendTicket(ticket.id, 300);
    await client.flush(ticket.id);
    const info = await fixture.vdsm.getTicket(ticket.id);
    assert.deepEqual([info.transferred, info.active, info.timeout], [image.length, false, 1]);
    await assertSameImage(ticket.file, source);

    await fixture.vdsm.removeTicket(ticket.id);
    assert.equal((await client.request('GET', ticket.path)).status, 403);
    assert.equal(await fixture.openFiles(ticket.file), 0);
    await assertSameImage(ticket.file, source);
  });

  test('downloads over a connection that breaks, and resumes with a Range', async () => {
    const ticket = await fixture.addImage(image, { ops: ['read'], filename: 'disk.raw' });
    const client = fixture.client();
    const response = await client.open('GET', ticket.path);
    assert.equal(Number(response.headers['content-length']), image.length);
    const received: Buffer[] = [];
    for await (const chunk of response) {
      received.push(chunk as Buffer);
      if (Buffer.concat(received).length >= 3 * MiB) break;
    }
    const first = Buffer.concat(received);
    const { transferred } = await fixture.ticketState(ticket, ({ active }) => !active, 'the download ended');
    // More than came to the client: how much more, the sizes of the socket buffers say.
    assert.ok(transferred! >= first.length);
    const rest = await client.request('GET', ticket.path, { headers: { Range: `bytes=${first.length}-` } });
    assert.equal(rest.status, 206);
    assert.equal(rest.headers['content-range'], `bytes ${first.length}-${image.length - 1}/${image.length}`);
    assert.ok(Buffer.concat([first, rest.body]).equals(image));
    await fixture.vdsm.removeTicket(ticket.id);
  });

  test('is complete for the monitor when every byte was downloaded, in whatever parts', async () => {
    const ticket = await fixture.addImage(image, { ops: ['read'] });
    const client = fixture.client();
    for (const range of ['bytes=5000000-', 'bytes=0-99', 'bytes=50-5000000']) {
      assert.equal((await client.request('GET', ticket.path, { headers: { Range: range } })).status, 206);
    }
    const info = await fixture.ticketState(ticket, ({ active }) => !active, 'the downloads ended');
    assert.equal(info.transferred, image.length);
  });

  test('counts distinct bytes: what is sent twice or overlaps counts once', async () => {
    const ticket = await fixture.addImage(1000);
    const client = fixture.client();
    for (const [offset, length, transferred] of [
      [0, 100, 100],
      [0, 100, 100],
      [50, 100, 150],
      [500, 100, 250],
      [100, 500, 600],
    ] as const) {
      await client.write(ticket.id, randomBytes(length), offset);
      assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, transferred);
    }
    await client.zero(ticket.id, { offsetBytes: 0, lengthBytes: 1000 });
    assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, 1000);
  });

  test('counts neither what a write ticket reads nor flushes and extents', async () => {
    const ticket = await fixture.addImage(1000);
    const client = fixture.client();
    await client.request('GET', ticket.path);
    await client.flush(ticket.id);
    await client.extents(ticket.id);
    assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, 0);
  });

  test('grows while a request is running', async () => {
    const ticket = await fixture.addImage(image.length);
    const socket = await fixture.connect();
    const headers = [`Content-Length: ${image.length}`, 'Connection: close'];
    await socket.send(requestBytes('PUT', ticket.path, headers));
    await socket.send(image.subarray(0, 5 * MiB));
    const running = await fixture.ticketState(
      ticket,
      ({ transferred }) => transferred! >= 5 * MiB,
      'half is there',
    );
    assert.deepEqual([running.active, running.idle_time, running.connections], [true, 0, 1]);
    await socket.send(image.subarray(5 * MiB));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    const info = await fixture.vdsm.getTicket(ticket.id);
    assert.deepEqual([info.active, info.transferred], [false, image.length]);
    assert.ok((await fixture.contentOf(ticket)).equals(image));
  });

  test('runs over several connections at once, and counts them', async () => {
    const ticket = await fixture.addImage(image.length);
    const client = fixture.client();
    const parts = [0, 1, 2, 3].map((part) => part * 3 * MiB);
    await Promise.all(
      parts.map((start) => client.write(ticket.id, image.subarray(start, start + 3 * MiB), start)),
    );
    const info = await fixture.vdsm.getTicket(ticket.id);
    assert.deepEqual([info.transferred, info.connections], [image.length, 4]);
    assert.equal(await fixture.openFiles(ticket.file), 4);
    assert.ok((await fixture.contentOf(ticket)).equals(image));
    client.close();
    await fixture.ticketState(ticket, ({ connections }) => connections === 0, 'all connections are closed');
  });

  test('tells how long nobody has used it', async () => {
    const ticket = await fixture.addImage(10);
    const { idle_time: idle } = await fixture.ticketState(
      ticket,
      ({ idle_time }) => idle_time > 0,
      'it is idle',
    );
    assert.ok(Number.isInteger(idle));
    const client = fixture.client();
    await eventually(async () => {
      await client.request('OPTIONS', ticket.path);
      return (await fixture.vdsm.getTicket(ticket.id)).idle_time === 0 ? true : undefined;
    }, 'a use of it counts');
  });
});
