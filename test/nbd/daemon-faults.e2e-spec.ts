import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { KiB, MiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { within } from '../support/deadline.js';
import { pattern } from './images.js';
import { NbdDaemon, promptMs } from './nbd-daemon.js';
import { missing, type NbdServer } from './servers.js';

const sizeBytes = 64 * MiB;

describe('the daemon with an NBD server that fails', { skip: missing('qemu-nbd', 'nbdkit') }, () => {
  let daemon: NbdDaemon;
  before(async () => {
    daemon = await NbdDaemon.start();
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
  });

  /** An nbdkit that fails while the file `switchPath` exists. */
  async function failingServer(...errors: readonly string[]) {
    const switchPath = daemon.workspace.path('fail');
    const server = await daemon.workspace.nbdkit(
      ...['--filter=error', 'memory', `${sizeBytes}`, ...errors, `error-file=${switchPath}`],
    );
    return {
      id: await daemon.addTicket(server.url, sizeBytes, { sparse: true }),
      fail: () => writeFile(switchPath, ''),
      recover: () => rm(switchPath),
    };
  }

  const failures = [
    ['EIO', 500, /EIO/],
    ['ENOSPC', 507, /No space left/],
  ] as const;
  for (const [error, status, text] of failures) {
    test(`answers ${status} to writes and zeroes that fail with ${error}; the next ones work`, async () => {
      const { id, fail, recover } = await failingServer(
        ...[`error=${error}`, 'error-pwrite-rate=1', 'error-zero-rate=1'],
      );
      const client = daemon.client();
      await client.write(id, pattern(MiB), 0, true);
      await fail();
      for (const request of [
        () => client.request('PUT', imagePath(id), { body: pattern(8 * MiB, 2) }),
        () => client.request('PATCH', imagePath(id), { body: JSON.stringify({ op: 'zero', size: MiB }) }),
      ]) {
        const answer = await request();
        assert.equal(answer.status, status);
        assert.match(answer.text, text);
      }
      const kept = await client.read(id, { offsetBytes: 0, lengthBytes: MiB });
      assert.ok(kept.equals(pattern(MiB)), 'nothing of the failed requests was written');
      await recover();
      await client.write(id, pattern(8 * MiB, 2), 0, true);
      await client.zero(id, { offsetBytes: 0, lengthBytes: MiB });
      const expected = pattern(8 * MiB, 2).fill(0, 0, MiB);
      assert.ok((await client.read(id, { offsetBytes: 0, lengthBytes: 8 * MiB })).equals(expected));
    });
  }

  test('answers 500 to a read that fails at once, and the next one works', async () => {
    const { id, fail, recover } = await failingServer('error=EIO', 'error-pread-rate=1');
    const client = daemon.client();
    await client.write(id, pattern(MiB), 0);
    await fail();
    assert.equal((await client.request('GET', imagePath(id))).status, 500);
    await recover();
    assert.ok((await client.read(id, { offsetBytes: 0, lengthBytes: MiB })).equals(pattern(MiB)));
  });

  test('cuts a download that fails in the middle, and the next one works', async () => {
    const { id, fail, recover } = await failingServer('error=EIO', 'error-pread-rate=1');
    const client = daemon.client();
    const response = await client.open('GET', imagePath(id));
    assert.equal(response.statusCode, 200);
    await fail();
    const cut = once(response, 'error');
    response.resume();
    await within(cut, 'the download to be cut');
    await recover();
    assert.equal((await client.request('GET', imagePath(id))).body.length, sizeBytes);
  });

  test('works with a server that takes 2 s for each I/O, and stops within that and 1 s', async () => {
    const server = await daemon.workspace.nbdkit(
      ...['--filter=delay', 'memory', `${sizeBytes}`, 'rdelay=2', 'wdelay=2'],
    );
    const [slow, cancelled] = [
      await daemon.addTicket(server.url, sizeBytes),
      await daemon.addTicket(server.url, sizeBytes),
    ];
    const client = daemon.client();
    const working = client.write(slow, pattern(64 * KiB), 0).then(async () => {
      const bytes = await client.read(slow, { offsetBytes: 0, lengthBytes: 64 * KiB });
      assert.ok(bytes.equals(pattern(64 * KiB)));
    });
    const answered = client.request('PUT', imagePath(cancelled), {
      headers: { 'Content-Range': `bytes ${32 * MiB}-${64 * MiB - 1}/*` },
      body: pattern(32 * MiB),
    });
    await daemon.ticketState(cancelled, ({ active }) => active, 'the upload runs');
    const deletion = within(daemon.removeTicket(cancelled), 'the cancel', { deadlineMs: 2000 + promptMs });
    assert.equal(await deletion, 204);
    assert.equal((await answered).status, 403);
    await working;
  });

  describe('by dying', () => {
    async function qemuServer(): Promise<{ server: NbdServer; id: string }> {
      const file = daemon.workspace.path('disk');
      await writeFile(file, '');
      await truncate(file, sizeBytes);
      const server = await daemon.workspace.qemuNbd('--format=raw', file);
      return { server, id: await daemon.addTicket(server.url, sizeBytes) };
    }

    test('fails the upload that was under way, and the next one works', async () => {
      const { server, id } = await qemuServer();
      const data = pattern(8 * MiB);
      const socket = await daemon.fixture.connect();
      await socket.sendHead(
        `PUT ${imagePath(id)} HTTP/1.1`,
        'Host: localhost',
        `Content-Length: ${data.length}`,
      );
      await socket.send(data.subarray(0, 4 * MiB));
      await daemon.ticketState(id, ({ transferred }) => transferred! >= 2 * MiB, 'some of it is written');
      await server.stop('SIGKILL');
      // The daemon may close before it has taken all of this.
      await socket.send(data.subarray(4 * MiB)).catch(() => undefined);
      const answer = (await socket.readUntilClose()).toString('latin1');
      assert.match(answer, /^HTTP\/1\.1 500 /);
      await daemon.ticketState(id, ({ active }) => !active, 'nothing runs');
      await server.start();
      const client = daemon.client();
      await client.write(id, data, 0, true);
      assert.ok((await client.read(id, { offsetBytes: 0, lengthBytes: data.length })).equals(data));
    });

    test('cuts the download that was under way, and the next one works', async () => {
      const { server, id } = await qemuServer();
      const client = daemon.client();
      const response = await client.open('GET', imagePath(id));
      await once(response, 'readable');
      await server.stop('SIGKILL');
      const cut = once(response, 'error');
      let receivedBytes = 0;
      response.on('data', (chunk: Buffer) => (receivedBytes += chunk.length));
      await within(cut, 'the download to be cut');
      assert.ok(receivedBytes < sizeBytes);
      await server.start();
      assert.equal((await client.request('GET', imagePath(id))).body.length, sizeBytes);
    });

    test('fails requests on a kept connection until it is back, and reconnects then', async () => {
      const { server, id } = await qemuServer();
      const client = daemon.client('local');
      const range = { offsetBytes: MiB, lengthBytes: 100 };
      await client.write(id, pattern(100), MiB, true);
      await server.stop('SIGKILL');
      assert.equal((await client.request('GET', imagePath(id))).status, 500);
      assert.equal((await client.request('PATCH', imagePath(id), { body: '{"op":"flush"}' })).status, 500);
      assert.equal((await client.request('GET', `${imagePath(id)}/extents`)).status, 500);
      await server.start();
      assert.ok((await client.read(id, range)).equals(pattern(100)));
      await client.flush(id);
      assert.equal(await daemon.removeTicket(id), 204);
    });
  });
});
