import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { MiB } from '../../src/base/units.js';
import { imagePath, type ImagesClient } from '../support/client.js';
import { eventually, within } from '../support/deadline.js';
import { sha256OfFile } from '../support/images.js';
import { type Command, CommandTap } from './command-tap.js';
import { pattern } from './images.js';
import { NbdDaemon, promptMs } from './nbd-daemon.js';
import { missing, type NbdServer } from './servers.js';

const sizeBytes = 16 * MiB;

describe('the daemon with an NBD server that hangs', { skip: missing('qemu-nbd') }, () => {
  let daemon: NbdDaemon;
  let client: ImagesClient;
  let server: NbdServer;
  let tap: CommandTap;
  let file: string;
  let id: string;
  let otherId: string;
  before(async () => {
    daemon = await NbdDaemon.start({ control: { remove_timeout: 1 } });
    client = daemon.client();
    const other = await daemon.workspace.qemuNbd('--format=raw', await createDisk('other'));
    otherId = await daemon.addTicket(other.url, sizeBytes);
    file = await createDisk('disk');
    server = await daemon.workspace.qemuNbd('--format=raw', file);
    tap = await CommandTap.listen(daemon.workspace.path('tap.sock'), server.socketPath);
  });
  after(async () => {
    await tap[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    id = await daemon.addTicket(tap.url, sizeBytes);
    // The image is open before the server hangs: opening has a limit of its own.
    await client.write(id, pattern(MiB), 0);
  });

  afterEach(() => {
    // A test that failed must not leave it stopped for the next one.
    server.signal('SIGCONT');
  });

  async function createDisk(name: string): Promise<string> {
    const path = daemon.workspace.path(name);
    await writeFile(path, '');
    await truncate(path, sizeBytes);
    return path;
  }

  /** Stops the server, and resolves when a request waits for it. */
  async function hangAt<T>(
    command: Command,
    send: () => Promise<T>,
  ): Promise<{ readonly answered: Promise<T> }> {
    server.signal('SIGSTOP');
    tap.reset();
    const answered = send();
    await tap.sent(command);
    return { answered };
  }

  /** Removes the ticket as vdsm does it: again, for as long as operations run. */
  async function assertRemoved(): Promise<void> {
    await eventually(async () => {
      const status = await daemon.removeTicket(id);
      if (status === 409) return undefined;
      assert.equal(status, 204);
      return true;
    }, 'the ticket is gone');
  }

  /** What does not need the server that hangs. */
  async function assertOthersAnswer(): Promise<void> {
    for (const [what, request] of [
      ['control', () => daemon.vdsm.listTickets()],
      ['a write to another image', () => client.write(otherId, pattern(MiB), 0, true)],
      ['a read of another image', () => client.read(otherId, { offsetBytes: 0, lengthBytes: MiB })],
    ] as const) {
      await within<unknown>(request(), what, { deadlineMs: promptMs });
    }
  }

  const requests: readonly (readonly [string, Command, () => Promise<{ readonly status: number }>])[] = [
    ['a write', 'write', () => client.request('PUT', imagePath(id), { body: pattern(8 * MiB, 2) })],
    [
      'zeroing',
      'write zeroes',
      () => client.request('PATCH', imagePath(id), { body: JSON.stringify({ op: 'zero', size: MiB }) }),
    ],
    ['a flush', 'flush', () => client.request('PATCH', imagePath(id), { body: '{"op":"flush"}' })],
  ];
  for (const [what, command, send] of requests) {
    test(`answers 409 to a removal while ${what} is stuck, and 204 when the server has woken`, async () => {
      const { answered } = await hangAt(command, send);
      const [status] = await Promise.all([daemon.removeTicket(id), assertOthersAnswer()]);
      assert.equal(status, 409);
      assert.equal(await daemon.removeTicket(id), 409, 'it is still stuck');
      const { active, canceled } = await daemon.vdsm.getTicket(id);
      assert.deepEqual([active, canceled], [true, true]);
      server.signal('SIGCONT');
      await assertRemoved();
      const removed = await sha256OfFile(file);
      assert.equal((await answered).status, 403);
      await assertOthersAnswer();
      assert.equal(await sha256OfFile(file), removed, 'nothing was written after the ticket was gone');
    });
  }

  const readings: readonly (readonly [string, Command, string])[] = [
    ['a download', 'read', ''],
    ['a list of extents', 'block status', '/extents'],
    ['a checksum', 'block status', '/checksum'],
  ];
  for (const [what, command, path] of readings) {
    test(`answers 204 to the removal of a ticket while ${what} is stuck`, async () => {
      const { answered } = await hangAt(command, () => client.request('GET', imagePath(id) + path));
      const removed = within(daemon.removeTicket(id), 'the removal', { deadlineMs: promptMs });
      assert.equal(await removed, 204);
      assert.equal((await answered).status, 403);
      await assertOthersAnswer();
    });
  }

  test('answers 409 while a write is stuck whose client has left', async () => {
    const socket = await daemon.fixture.connect();
    const putHead = (lengthBytes: number): Promise<void> =>
      socket.sendHead(`PUT ${imagePath(id)} HTTP/1.1`, 'Host: localhost', `Content-Length: ${lengthBytes}`);
    await putHead(1);
    await socket.send('x');
    await socket.readUntil('200 OK');
    await hangAt('write', async () => {
      await putHead(8 * MiB);
      await socket.send(pattern(4 * MiB, 4));
    });
    socket.close();
    assert.equal(await daemon.removeTicket(id), 409);
    await assertOthersAnswer();
    server.signal('SIGCONT');
    await assertRemoved();
  });

  test('answers 204 to the removal of a ticket when the server has died', async () => {
    const { answered } = await hangAt('write', () =>
      client.request('PUT', imagePath(id), { body: pattern(8 * MiB, 3) }),
    );
    assert.equal(await daemon.removeTicket(id), 409);
    await server.stop('SIGKILL');
    await assertRemoved();
    assert.ok([403, 500].includes((await answered).status));
    await assertOthersAnswer();
    await server.start();
  });
});
