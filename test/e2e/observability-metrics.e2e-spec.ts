import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { writeRandomImage, writeSparseImage } from '../support/images.js';
import { projectRoot } from '../support/project.js';
import type { Service } from '../support/processes.js';
import { RawSocket } from '../support/raw-socket.js';
import { DaemonUnderTest, withoutTls } from './daemon-under-test.js';
import { Deployment } from './deployment.js';
import { monitored, Scrape } from './monitoring.js';

// Odd sizes: whatever rounds to blocks or buffers is seen.
const uploadBytes = 5 * MiB + 4321;
const downloadBytes = 7 * MiB + 99;
const zeroBytes = 300 * MiB + 5;

/**
 * A scrape when nothing runs any more: the answer of an operation is out a moment
 * before the operation has ended.
 */
function idleScrape(service: Service): Promise<Scrape> {
  return eventually(async () => {
    const scrape = await Scrape.of(service);
    return scrape.sum('imageio_operations_active') === 0 ? scrape : undefined;
  }, `no operation runs at the ${service.role}`);
}

/** Resolves when that many requests were counted, which is a moment after their answers are out. */
async function counted(service: Service, labels: Record<string, string>, count: number): Promise<void> {
  await eventually(
    async () => (await Scrape.of(service)).sum('imageio_requests_total', labels) === count || undefined,
    `${count} requests were counted as ${JSON.stringify(labels)}`,
  );
}

const bytes = (scrape: Scrape, operation: string, labels: Record<string, string>): number =>
  scrape.sum('imageio_image_bytes_total', { operation, ...labels });

describe('the metrics of a daemon and the proxy in front of it', () => {
  let deployment: Deployment;
  let remote: ImagesClient;
  let local: ImagesClient;
  let tickets: readonly string[];
  let secrets: readonly string[];

  before(async () => {
    deployment = await Deployment.start({ daemon: monitored, proxy: monitored });
    const { folder } = deployment;
    const [source, target] = [folder.file('source'), folder.file('target')];
    await writeRandomImage(source, downloadBytes);
    await writeSparseImage(target, zeroBytes, []);
    await writeSparseImage(folder.file('upload'), uploadBytes, [{ offsetBytes: 9, lengthBytes: MiB }]);
    const readTicket = await deployment.addTicket('read', source, downloadBytes);
    const writeTicket = await deployment.addTicket('write', target, zeroBytes);
    const signedTickets = [readTicket, writeTicket].map((id) => deployment.signTicket(id));
    tickets = [readTicket, writeTicket];
    const sessionIds: string[] = [];
    local = new ImagesClient(deployment.daemon.address('local'));
    remote = new ImagesClient(deployment.proxy.address('remote'));
    // The proxy: one upload in pieces, one zero, one download of a part.
    for (const signedTicket of signedTickets) {
      const opened = await remote.request('POST', '/sessions/', {
        headers: { Authorization: signedTicket },
      });
      sessionIds.push(String(opened.headers['session-id']));
    }
    const reader = new ImagesClient(deployment.proxy.address('remote'), {
      headers: { 'Session-Id': sessionIds[0] },
    });
    const writer = new ImagesClient(deployment.proxy.address('remote'), {
      headers: { 'Session-Id': sessionIds[1] },
    });
    await writer.upload(writeTicket, folder.file('upload'), { chunkBytes: 2 * MiB });
    await writer.zero(writeTicket, { offsetBytes: 0, lengthBytes: zeroBytes });
    await reader.read(readTicket, { offsetBytes: 17, lengthBytes: 3 * MiB });
    // The local socket: the whole image, a small write, and a checksum.
    await local.download(readTicket, folder.file('copy'));
    await local.write(writeTicket, Buffer.alloc(333), 4096 + 7);
    await local.checksum(readTicket);
    reader.close();
    writer.close();
    secrets = [...tickets, ...sessionIds, ...signedTickets];
  });
  after(async () => {
    local.close();
    remote.close();
    await deployment[Symbol.asyncDispose]();
  });

  test('account for every byte of the daemon, by operation, backend and listener', async () => {
    const scrape = await idleScrape(deployment.daemon);
    const [network, socket] = [
      { backend: 'file', listener: 'remote' },
      { backend: 'file', listener: 'local' },
    ];
    assert.equal(bytes(scrape, 'write', network), uploadBytes);
    assert.equal(bytes(scrape, 'zero', network), zeroBytes);
    assert.equal(bytes(scrape, 'read', network), 3 * MiB);
    assert.equal(bytes(scrape, 'read', socket), downloadBytes);
    assert.equal(bytes(scrape, 'write', socket), 333);
    assert.equal(bytes(scrape, 'checksum', socket), downloadBytes);
    assert.equal(
      scrape.sum('imageio_image_bytes_total'),
      uploadBytes + zeroBytes + 3 * MiB + 2 * downloadBytes + 333,
    );
  });

  test('account for every byte that passed the proxy', async () => {
    const scrape = await idleScrape(deployment.proxy);
    const relayed = { backend: 'http', listener: 'remote' };
    assert.equal(bytes(scrape, 'write', relayed), uploadBytes);
    assert.equal(bytes(scrape, 'zero', relayed), zeroBytes);
    assert.equal(bytes(scrape, 'read', relayed), 3 * MiB);
    assert.equal(scrape.sum('imageio_image_bytes_total'), uploadBytes + zeroBytes + 3 * MiB);
  });

  test('tell how long operations took, and how much of it storage and client did', async () => {
    for (const [service, backend] of [
      [deployment.daemon, 'file'],
      [deployment.proxy, 'http'],
    ] as const) {
      const scrape = await idleScrape(service);
      const write = { operation: 'write', backend };
      const [total, storage, client] = ['', '_backend', '_client_wait'].map((part) =>
        scrape.sum(`imageio_operation${part}_seconds_sum`, write),
      );
      assert.ok(total! > 0 && storage! > 0 && client! > 0, service.role);
      assert.ok(storage! <= total! && client! <= total!, service.role);
    }
    const daemon = await idleScrape(deployment.daemon);
    assert.equal(daemon.sum('imageio_operation_seconds_count', { operation: 'write' }), 4);
    assert.equal(daemon.sum('imageio_operation_seconds_count', { operation: 'checksum' }), 1);
  });

  test('count requests by route, method and status', async () => {
    const { daemon, proxy } = deployment;
    const images = { route: '/images/:id', status: '200' };
    await counted(daemon, { ...images, method: 'PUT', listener: 'remote' }, 3);
    await counted(daemon, { ...images, method: 'PUT', listener: 'local' }, 1);
    await counted(daemon, { listener: 'control', route: '/tickets/:id', method: 'PUT' }, 2);
    await counted(proxy, { route: '/sessions', method: 'POST', status: '200' }, 2);
    await counted(proxy, { route: '/images/:id', method: 'GET', status: '206' }, 1);
  });

  test('show tickets, sessions, connections and buffers as they are', async () => {
    const daemon = await idleScrape(deployment.daemon);
    assert.equal(daemon.sum('imageio_tickets'), 2);
    assert.equal(daemon.sum('imageio_connections', { listener: 'local' }), 1);
    assert.equal(daemon.sum('imageio_buffers_in_use'), 0);
    assert.equal(daemon.sum('imageio_buffers_waiting'), 0);
    assert.ok(daemon.sum('imageio_buffers_max', { size: 'large' }) > 100);
    assert.ok(daemon.sum('imageio_buffers_max', { size: 'small' }) > 100);
    // Six ranges, each with some KiB around it.
    assert.equal(daemon.sum('imageio_digest_pool_bytes_max', {}), 48 * MiB);
    assert.equal(daemon.sum('imageio_job_digest_bytes_max', {}), 132 * MiB);
    assert.equal((await idleScrape(deployment.proxy)).sum('imageio_sessions'), 2);
  });

  test('have no id of a ticket or session in them', async () => {
    for (const service of [deployment.daemon, deployment.proxy]) {
      const { text } = await idleScrape(service);
      for (const secret of secrets) assert.ok(!text.includes(secret));
    }
  });

  test('have every metric that the dashboard and the alerts ask for', async () => {
    const names = new Set(
      (await Promise.all([deployment.daemon, deployment.proxy].map((service) => Scrape.of(service)))).flatMap(
        (scrape) => [...scrape.names],
      ),
    );
    for (const file of ['packaging/grafana/ovirt-imageio.json', 'docs/monitoring.md']) {
      const text = await readFile(`${projectRoot}/${file}`, 'utf8');
      const asked = new Set(text.match(/\b(?:imageio|process|nodejs)_[a-z0-9_]+/g));
      assert.ok(asked.size > 10, file);
      for (const name of asked)
        assert.ok(names.has(name.replace(/_(bucket|sum|count)$/, '')) || names.has(name), name);
    }
  });

  test('are all in the table of the documentation', async () => {
    const text = await readFile(`${projectRoot}/docs/monitoring.md`, 'utf8');
    for (const service of [deployment.daemon, deployment.proxy]) {
      const ours = [...(await Scrape.of(service)).names].filter((name) => name.startsWith('imageio_'));
      for (const name of ours) assert.ok(text.includes(`| \`${name}\``), name);
    }
  });

  test('count what fails: a daemon that is away, and a handshake that is none', async () => {
    // Nothing listens at this port.
    const imagedUri = 'https://localhost:1';
    const signedTicket = deployment.engine.signTransfer({ ticketId: tickets[0]!, imagedUri });
    const answer = await remote.request('GET', imagePath(tickets[0]!), {
      headers: { Authorization: signedTicket },
    });
    assert.equal(answer.status, 502);
    const garbage = await RawSocket.connect(withoutTls(deployment.proxy.address('remote')));
    await garbage.send('GET / HTTP/1.1\r\n\r\n');
    await garbage.readUntilClose();
    garbage.close();
    const scrape = await eventually(async () => {
      const found = await Scrape.of(deployment.proxy);
      return found.sum('imageio_tls_handshakes_failed_total') > 0 ? found : undefined;
    }, 'the handshake has failed');
    assert.equal(scrape.sum('imageio_tls_handshakes_failed_total', { listener: 'remote' }), 1);
    assert.ok(scrape.sum('imageio_relay_errors_total', { kind: 'refused' }) === 1);
    assert.equal(scrape.sum('imageio_relay_errors_total'), 1);
  });
});

describe('the metrics of a running transfer', () => {
  test('show it, its connection and its buffers, and bytes that grow while it runs', async () => {
    await using fixture = await DaemonUnderTest.start(monitored);
    const ticket = await fixture.addImage(8 * MiB);
    const socket = await fixture.connect();
    await socket.sendHead(`PUT ${ticket.path} HTTP/1.1`, 'Host: x', `Content-Length: ${8 * MiB}`);
    await socket.send(Buffer.alloc(3 * MiB));
    const scrape = await eventually(async () => {
      const found = await Scrape.of(fixture.daemon);
      return found.sum('imageio_image_bytes_total') === 3 * MiB ? found : undefined;
    }, 'what was sent is counted');
    const running = { operation: 'write', listener: 'remote' };
    assert.equal(scrape.sum('imageio_operations_active', running), 1);
    assert.equal(scrape.sum('imageio_connections', { listener: 'remote' }), 1);
    assert.ok(scrape.sum('imageio_buffers_in_use', { size: 'large' }) >= 1);
    socket.close();
    const after = await idleScrape(fixture.daemon);
    assert.equal(after.sum('imageio_image_bytes_total'), 3 * MiB);
    assert.equal(after.sum('imageio_operation_seconds_count', { operation: 'write', backend: 'file' }), 1);
  });

  test('are off unless they are asked for', async () => {
    await using fixture = await DaemonUnderTest.start();
    assert.throws(() => fixture.daemon.address('metrics'), /no metrics listener/);
  });

  test('count what was no request under one route', async () => {
    await using fixture = await DaemonUnderTest.start(monitored);
    await fixture.exchangeBytes('GET / HTTP/1.1\r\nNo Header\r\n\r\n');
    await fixture.exchangeBytes('NONSENSE\r\n\r\n');
    await fixture.exchangeBytes(`GET /${'x'.repeat(20 * KiB)} HTTP/1.1\r\n\r\n`);
    await fixture.exchangeBytes('GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    for (const status of ['400', '405', '431', '404'])
      await counted(fixture.daemon, { listener: 'remote', route: 'none', status }, 1);
  });
});
