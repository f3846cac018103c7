import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { parseAnswer, requestBytes } from './raw-answers.js';
import { DaemonFixture, type ImageTicket } from './daemon.fixture.js';
import { FrozenStorage, needsFrozenStorage } from './frozen-storage.js';
import type { RawSocket } from '../support/raw-socket.js';
import type { TicketDocument } from '../support/vdsm.js';

describe('storage that hangs', { skip: needsFrozenStorage() }, () => {
  /** An upload whose write hangs. */
  async function hangingUpload(
    fixture: DaemonFixture,
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
    await using fixture = await DaemonFixture.start({ control: { remove_timeout: 1 } });
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
    await using fixture = await DaemonFixture.start({ control: { remove_timeout: 0 } });
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
    await using fixture = await DaemonFixture.start();
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
    await using fixture = await DaemonFixture.start();
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
});

describe('removing tickets with remove_timeout 0', () => {
  test('is done at once when nothing runs', async () => {
    await using fixture = await DaemonFixture.start({ control: { remove_timeout: 0 } });
    const ticket = await fixture.addImage(4);
    await fixture.client().request('GET', ticket.path);
    assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${ticket.id}`)).status, 204);
    assert.equal(await fixture.openFiles(ticket.file), 0);
  });
});
