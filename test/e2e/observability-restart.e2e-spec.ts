import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { ImagesClient } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { Engine } from '../support/engine.js';
import { freePort } from '../support/free-port.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import { Pki } from '../support/pki.js';
import { startDaemon, startProxy, type Service } from '../support/processes.js';
import { RawSocket } from '../support/raw-socket.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const sizeBytes = 24 * MiB;
const chunkBytes = 2 * MiB;
const retryMilliseconds = 50;

/** One image under way. */
interface Transfer {
  readonly ticketId: string;
  readonly from: string;
  readonly to: string;
  readonly run: (client: ImagesClient) => Promise<void>;
}

describe('a proxy that is restarted under load', () => {
  test('ends in order, and every image is whole after the clients tried again', async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TemporaryFolder.create());
    const pki = await Pki.create(folder.path);
    const identity = await pki.issueEngine();
    const engine = new Engine(identity);
    const daemon = await startDaemon({ folder: folder.path, pki });
    stack.defer(() => daemon.stop());
    // Both proxies are the same address to the clients.
    // Connections that say nothing for the time of a head get 408; here they have to last until the stop.
    const limits = { grace_sec: 0.5, headers_timeout_sec: 60 };
    const configuration = { remote: { port: await freePort() }, limits };
    const start = (): Promise<Service> =>
      startProxy({ folder: folder.path, pki, engine: identity, configuration });
    const first = await start();

    const transfers: Transfer[] = [];
    for (let index = 0; index < 10; index++) {
      const [image, other] = [folder.file(`image-${index}`), folder.file(`other-${index}`)];
      await writeRandomImage(image, sizeBytes);
      await writeFile(other, '');
      const uploads = index < 5;
      if (uploads) await truncate(other, sizeBytes);
      const ticketId = randomUUID();
      await daemon.vdsm.addTicket({
        uuid: ticketId,
        size: sizeBytes,
        ops: [uploads ? 'write' : 'read'],
        timeout: 300,
        url: `file://${uploads ? other : image}`,
      });
      transfers.push({
        ticketId,
        from: image,
        to: other,
        run: (client) =>
          uploads ? client.upload(ticketId, image, { chunkBytes }) : client.download(ticketId, other),
      });
    }

    let failures = 0;
    const finish = async ({ ticketId, run }: Transfer): Promise<void> => {
      const headers = { Authorization: engine.signTransfer({ ticketId, imagedUri: daemon.url }) };
      for (;;) {
        const client = new ImagesClient(first.address('remote'), { headers });
        try {
          await run(client);
          return;
        } catch {
          failures += 1;
          await delay(retryMilliseconds);
        } finally {
          client.close();
        }
      }
    };
    const idle = await Promise.all(
      Array.from({ length: 50 }, () => RawSocket.connect(first.address('remote'))),
    );
    const running = Promise.all(transfers.map(finish));
    await eventually(async () => {
      const tickets = await daemon.vdsm.listTickets();
      return tickets.every(({ transferred = 0 }) => transferred > 0) ? true : undefined;
    }, 'every transfer has begun');
    assert.deepEqual(await first.program.stop(), { code: 0, signal: null });
    for (const socket of idle) assert.equal((await socket.readUntilClose()).length, 0);
    const second = await start();
    stack.defer(() => second.stop());
    await running;
    assert.ok(failures > 0, 'the restart has disturbed nobody');
    for (const { from, to } of transfers) await assertSameImage(to, from);
    const tickets = await daemon.vdsm.listTickets();
    assert.ok(tickets.every(({ active }) => !active));
  });

  test('ends at once when it is asked again', async () => {
    await using folder = await TemporaryFolder.create();
    const pki = await Pki.create(folder.path);
    const identity = await pki.issueEngine();
    const proxy = await startProxy({
      folder: folder.path,
      pki,
      engine: identity,
      configuration: { limits: { grace_sec: 600 } },
    });
    const socket = await RawSocket.connect(proxy.address('remote'));
    await socket.sendHead('PUT /tickets/ HTTP/1.1', 'Host: x', 'Content-Length: 10');
    await socket.send('{');
    // A second request shows that the first was seen.
    await eventually(async () => {
      const client = new ImagesClient(proxy.address('remote'));
      const { status } = await client.request('GET', '/info/');
      client.close();
      return status === 200 ? true : undefined;
    }, 'the proxy answers');
    proxy.program.signal('SIGTERM');
    await proxy.program.waitForLine(
      (line) => (line.includes('"Stopping"') ? true : undefined),
      'the proxy to stop',
    );
    assert.deepEqual(await proxy.program.stop('SIGINT'), { code: 1, signal: null });
    socket.close();
  });
});
