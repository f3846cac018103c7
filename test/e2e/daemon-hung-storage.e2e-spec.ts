import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { parseAnswer, requestBytes } from './raw-answers.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';
import { FrozenStorage, needsFrozenStorage, sleepingThreads } from './frozen-storage.js';
import { askMonitoring, monitored } from './monitoring.js';
import { MiB } from '../../src/base/units.js';
import { within } from '../support/deadline.js';
import type { RawSocket } from '../support/raw-socket.js';
import type { TicketDocument } from '../support/vdsm.js';

describe('storage that hangs', { skip: needsFrozenStorage() }, () => {
  /** An upload whose write hangs. */
  async function hangingUpload(
    fixture: DaemonUnderTest,
    storage: FrozenStorage,
    ticket: Partial<TicketDocument> = {},
  ): Promise<{ ticket: ImageTicket; socket: RawSocket }> {
    const file = `${storage.path}/image.raw`;
    await writeFile(file, Buffer.alloc(4096));
    const added = await fixture.addImage(undefined, { size: 4096, url: `file://${file}`, ...ticket });
    // Opened before, as opening is not what is to hang.
    const socket = await fixture.connect();
    await socket.send(requestBytes('OPTIONS', added.path));
    await socket.readUntil('}');
    await storage.freeze();
    await socket.send(
      requestBytes('PUT', added.path, ['Content-Length: 4096', 'Connection: close'], 'x'.repeat(4096)),
    );
    await storage.holds(fixture.daemon.program.pid);
    return { ticket: { ...added, file }, socket };
  }

  async function answerOf(socket: RawSocket): Promise<number> {
    const bytes = await socket.readUntilClose();
    return parseAnswer(bytes.subarray(bytes.lastIndexOf('HTTP/1.1 '))).status;
  }

  test('makes removing its ticket a 409 after remove_timeout, and the ticket stays, cancelled', async () => {
    await using fixture = await DaemonUnderTest.start({ control: { remove_timeout: 1 } });
    await using storage = await FrozenStorage.mount(fixture.folder.path);
    const { ticket, socket } = await hangingUpload(fixture, storage, { transfer_id: 'the transfer' });
    for (let attempt = 0; attempt < 2; attempt++) {
      const answer = await fixture.vdsm.request('DELETE', `/tickets/${ticket.id}`);
      assert.equal(answer.status, 409);
      assert.equal(answer.reason, 'Conflict');
      assert.equal(answer.text, 'Timeout cancelling transfer the transfer\n');
      const info = await fixture.vdsm.getTicket(ticket.id);
      assert.deepEqual([info.canceled, info.active], [true, true]);
    }
    const all = await fixture.vdsm.request('DELETE', '/tickets/');
    assert.equal(all.status, 409);
    const replaced = await fixture.vdsm.request(
      'PUT',
      `/tickets/${ticket.id}`,
      JSON.stringify(ticket.document),
    );
    assert.equal(replaced.status, 409);
    assert.equal((await fixture.client().request('GET', ticket.path)).status, 403);
    await storage.thaw();
    assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${ticket.id}`)).status, 204);
    assert.equal((await fixture.vdsm.request('GET', `/tickets/${ticket.id}`)).status, 404);
    assert.equal(await answerOf(socket), 403);
  });

  test('is not waited for with remove_timeout 0: the caller asks again', async () => {
    await using fixture = await DaemonUnderTest.start({ control: { remove_timeout: 0 } });
    await using storage = await FrozenStorage.mount(fixture.folder.path);
    const { ticket } = await hangingUpload(fixture, storage);
    assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${ticket.id}`)).status, 409);
    assert.equal((await fixture.vdsm.getTicket(ticket.id)).canceled, true);
    await storage.thaw();
    await fixture.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'it is idle',
    );
    assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${ticket.id}`)).status, 204);
  });

  test('is no silence of the client: the upload ends well when storage comes back', async () => {
    await using fixture = await DaemonUnderTest.start();
    await using storage = await FrozenStorage.mount(fixture.folder.path);
    const { ticket, socket } = await hangingUpload(fixture, storage, { inactivity_timeout: 1 });
    // More than twice the time that the client may be silent.
    await delay(2500);
    assert.equal(socket.closed, false);
    await storage.thaw();
    assert.equal(await answerOf(socket), 200);
    assert.equal((await fixture.contentOf(ticket)).toString(), 'x'.repeat(4096));
  });

  test('holds up neither other transfers nor the control service', async () => {
    await using fixture = await DaemonUnderTest.start();
    await using storage = await FrozenStorage.mount(fixture.folder.path);
    const { ticket, socket } = await hangingUpload(fixture, storage);
    const other = await fixture.addImage(4096);
    const client = fixture.client();
    await client.write(other.id, Buffer.from('DATA'), 0, true);
    assert.equal((await client.request('GET', other.path)).text.slice(0, 4), 'DATA');
    await fixture.vdsm.removeTicket(other.id);
    assert.equal((await fixture.vdsm.getTicket(ticket.id)).active, true);
    await storage.thaw();
    assert.equal(await answerOf(socket), 200);
  });

  test('takes no more threads than one image may have, however many requests wait', async () => {
    const fileThreads = 8;
    await using fixture = await DaemonUnderTest.start({
      ...monitored,
      control: { remove_timeout: 1 },
      limits: { file_threads: fileThreads },
    });
    await using storage = await FrozenStorage.mount(fixture.folder.path);
    const uploadCount = 5 * fileThreads;
    const file = `${storage.path}/image.raw`;
    await writeFile(file, Buffer.alloc(uploadCount * 4096));
    const ticket = await fixture.addImage(undefined, { size: uploadCount * 4096, url: `file://${file}` });
    await storage.freeze();
    // Not over each other, as then all would wait for the first one.
    const uploads = Array.from({ length: uploadCount }, async (_, index) => {
      const range = `Content-Range: bytes ${index * 4096}-${index * 4096 + 4095}/*`;
      const socket = await fixture.connect();
      await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 4096', range], 'y'.repeat(4096)));
      return socket;
    });
    const sockets = await Promise.all(uploads);
    await storage.holds(fixture.daemon.program.pid, fileThreads / 2);

    const other = await fixture.addImage(4 * MiB);
    const client = fixture.client();
    const content = randomBytes(4 * MiB);
    await within(client.write(other.id, content, 0, true), 'a write of another image');
    assert.ok((await client.request('GET', other.path)).body.equals(content));
    assert.equal((await askMonitoring(fixture.daemon, '/health/ready')).status, 200);
    assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${ticket.id}`)).status, 409);
    assert.ok((await sleepingThreads(fixture.daemon.program.pid)).length <= fileThreads / 2);

    await storage.thaw();
    await fixture.vdsm.removeTicket(ticket.id);
    for (const socket of sockets) assert.equal(await answerOf(socket), 403);
  });
});

describe('removing tickets with remove_timeout 0', () => {
  test('is done at once when nothing runs', async () => {
    await using fixture = await DaemonUnderTest.start({ control: { remove_timeout: 0 } });
    const ticket = await fixture.addImage(4);
    await fixture.client().request('GET', ticket.path);
    assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${ticket.id}`)).status, 204);
    assert.equal(await fixture.openFiles(ticket.file), 0);
  });
});
