import assert from 'node:assert/strict';
import { test } from 'node:test';

import { KiB, MiB } from '../../src/base/units.js';
import { eventually, within } from '../support/deadline.js';
import { askMonitoring, monitored, Scrape } from '../e2e/monitoring.js';
import { describeWire } from '../e2e/wire-under-test.js';
import { pattern } from './images.js';
import { ScriptedServer } from './scripted-server.js';
import { noneChunk } from './server-messages.js';
import { Workspace } from './servers.js';

const sizeBytes = 64 * MiB;

/** Of an NBD request. */
const writeCommand = 1;

/** With room for twelve buffers, of which one image may have six. */
const configuration = {
  ...monitored,
  control: { remove_timeout: 1 },
  limits: {
    buffer_bytes: 64 * KiB,
    buffer_pool_bytes: MiB,
    buffer_wait_sec: 1,
    buffer_stall_sec: 0.5,
    retry_after_sec: 42,
  },
};
const imageMax = 6;

const routes = ['straight to the daemon', 'through the proxy with a session'] as const;

describeWire('uploads to an NBD server that hangs', { configuration, routes }, (wire) => {
  test('pin no more buffers than one image may have, whatever their clients do', async () => {
    await using workspace = await Workspace.create();
    let isHung = true;
    const heldUp: (() => void)[] = [];
    await using server = await ScriptedServer.listen(workspace.path('sock'), {
      sizeBytes,
      reply: ({ command, cookie }, socket) => {
        if (command !== writeCommand || !isHung) return noneChunk(cookie);
        heldUp.push(() => socket.write(noneChunk(cookie)));
        return undefined;
      },
    });
    const ticket = await wire.addImage(undefined, { url: server.url, size: sizeBytes });
    const buffersInUse = async (): Promise<number> =>
      (await Scrape.of(wire.daemon.daemon)).sum('imageio_buffers_in_use', { size: 'large' });
    const upload = async (): Promise<void> => {
      const socket = await wire.connect();
      await socket.send(wire.request('PUT', ticket.path, [`Content-Length: ${MiB}`], 'x'.repeat(MiB / 2)));
      socket.reset();
    };
    while ((await buffersInUse()) < imageMax) await upload();
    for (let again = 0; again < 2 * imageMax; again += 1) await upload();
    assert.equal(await buffersInUse(), imageMax);

    // The client may give up with a broken pipe: an answer that comes this early closes the connection.
    const put = wire.client().request('PUT', ticket.path, { body: pattern(128 * KiB) });
    const refused = await within(put, 'a refusal');
    assert.equal(refused.status, 503);
    assert.match(refused.text, /^All transfer buffers that one image may have are in use/);
    assert.equal(refused.headers['retry-after'], '42');

    const other = await wire.addImage(2 * MiB);
    await wire.client().write(other.id, pattern(2 * MiB), 0, true);
    assert.equal((await askMonitoring(wire.daemon.daemon, '/health/ready')).status, 200);
    assert.equal((await wire.vdsm.request('DELETE', `/tickets/${ticket.id}`)).status, 409);

    isHung = false;
    for (const answer of heldUp) answer();
    await eventually(async () => (await buffersInUse()) === 0 || undefined, 'all buffers are free');
    await wire.vdsm.removeTicket(ticket.id);
  });
});
