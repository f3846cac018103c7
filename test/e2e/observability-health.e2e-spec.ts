import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { KiB } from '../../src/base/units.js';
import { ImagesClient } from '../support/client.js';
import { eventually, within } from '../support/deadline.js';
import { RedisServer } from '../support/redis-server.js';
import { needs } from '../support/requirements.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';
import { Deployment } from './deployment.js';
import { FrozenStorage, needsFrozenStorage } from './frozen-storage.js';
import { askMonitoring, monitored, Scrape } from './monitoring.js';
import { ProxiesUnderTest } from './proxies-under-test.js';
import { requestBytes } from './raw-answers.js';

interface Health {
  readonly status: string;
  readonly checks?: Readonly<Record<string, string>>;
}

describe('the monitoring listener', () => {
  test('says that daemon and proxy live and are ready', async () => {
    await using deployment = await Deployment.start({ daemon: monitored, proxy: monitored });
    for (const [service, checks] of [
      [deployment.daemon, { listeners: 'ok' }],
      [deployment.proxy, { listeners: 'ok' }],
    ] as const) {
      const live = await askMonitoring(service, '/health/live');
      assert.deepEqual([live.status, JSON.parse(live.text)], [200, { status: 'ok' }]);
      const ready = await askMonitoring(service, '/health/ready');
      assert.deepEqual([ready.status, JSON.parse(ready.text)], [200, { status: 'ok', checks }]);
      assert.equal(ready.headers['content-type'], 'application/json');
      assert.equal(ready.headers['cache-control'], 'no-store');
    }
  });

  test('answers only what it has, and nothing of the other listeners', async () => {
    await using fixture = await DaemonUnderTest.start(monitored);
    for (const path of ['/', '/health', '/images/x', '/tickets/', '/info/', '/metrics/x', '/toString'])
      assert.equal((await askMonitoring(fixture.daemon, path)).status, 404, path);
    const post = await askMonitoring(fixture.daemon, '/metrics', 'POST');
    assert.deepEqual([post.status, post.headers.allow], [405, 'GET,HEAD']);
    const head = await askMonitoring(fixture.daemon, '/metrics', 'HEAD');
    assert.deepEqual([head.status, head.text], [200, '']);
    assert.match(String(head.headers['content-type']), /^text\/plain; version=/);
    // Nobody finds metrics or health where clients are.
    for (const listener of ['remote', 'local', 'control'] as const)
      assert.equal((await fixture.client(listener).request('GET', '/metrics')).status, 404, listener);
  });
});

describe('a service that must not get new work', () => {
  test('is alive and not ready while it stops, and can still be scraped', async () => {
    await using fixture = await DaemonUnderTest.start({ ...monitored, limits: { grace_sec: 600 } });
    const { daemon } = fixture;
    const ticket = await fixture.addImage(1000);
    const socket = await fixture.connect();
    await socket.send(requestBytes('PUT', ticket.path, ['Content-Length: 1000'], 'x'));
    await fixture.ticketState(ticket, ({ active }) => active, 'the upload runs');
    daemon.program.signal('SIGTERM');
    const answer = await eventually(async () => {
      const found = await askMonitoring(daemon, '/health/ready');
      return found.status === 200 ? undefined : found;
    }, 'it is not ready');
    assert.equal(answer.status, 503);
    assert.deepEqual(JSON.parse(answer.text), {
      status: 'not ready',
      checks: { listeners: 'remote, local, control not accepting' },
    });
    assert.equal((await askMonitoring(daemon, '/health/live')).status, 200);
    assert.equal((await Scrape.of(daemon)).sum('imageio_operations_active'), 1);
    await socket.send('x'.repeat(999));
    assert.equal((await within(daemon.program.exited, 'the exit')).code, 0);
  });
});

describe('a proxy whose sessions are in Redis', { skip: needs('redis-server') }, () => {
  test('is not ready while Redis is away or hangs, goes on living, and is ready again with it', async () => {
    await using fixture = await ProxiesUnderTest.start();
    await using redis = await RedisServer.stopped();
    const proxy = await fixture.startProxy({ ...monitored, proxy: { session_store: redis.url } });
    const becomes = (status: number, result: string): Promise<true> =>
      eventually(async () => {
        const ready = await askMonitoring(proxy, '/health/ready');
        const { checks } = JSON.parse(ready.text) as Health;
        return (ready.status === status && checks?.['session store'] === result) || undefined;
      }, `readiness is ${status}: ${result}`);
    const sessions = async (): Promise<number[]> =>
      (await Scrape.of(proxy)).samples
        .filter(({ name }) => name === 'imageio_sessions')
        .map(({ value }) => value);
    const isAway = async (): Promise<void> => {
      await becomes(503, 'Redis is away');
      assert.equal((await askMonitoring(proxy, '/health/live')).status, 200);
      assert.deepEqual(await sessions(), []);
    };
    await isAway();
    await redis.restart();
    await becomes(200, 'ok');
    assert.deepEqual(await sessions(), [0]);
    await redis.kill();
    await isAway();
    await redis.restart();
    await becomes(200, 'ok');
    redis.signal('SIGSTOP');
    await isAway();
    redis.signal('SIGCONT');
    await becomes(200, 'ok');
    await proxy.stop();
  });
});

describe('health while storage hangs', { skip: needsFrozenStorage() }, () => {
  test('is told all the same, and the hanging operations are counted', async () => {
    await using fixture = await DaemonUnderTest.start(monitored);
    await using storage = await FrozenStorage.mount(fixture.folder.path);
    // More than Node has threads by default, each with a write that hangs.
    const tickets: ImageTicket[] = [];
    for (let index = 0; index < 6; index++) {
      const file = `${storage.path}/${index}.raw`;
      await writeFile(file, Buffer.alloc(64 * KiB));
      tickets.push(await fixture.addImage(undefined, { size: 64 * KiB, url: `file://${file}` }));
    }
    const clients = tickets.map(() => new ImagesClient(fixture.daemon.address('remote')));
    for (const [index, client] of clients.entries()) await client.capabilities(tickets[index]!.id);
    await storage.freeze();
    const hanging = clients.map((client, index) =>
      client.write(tickets[index]!.id, Buffer.alloc(64 * KiB, 'x'), 0, true),
    );
    await storage.holds(fixture.daemon.program.pid, tickets.length);
    for (let attempt = 0; attempt < 10; attempt++) {
      for (const path of ['/health/live', '/health/ready', '/metrics']) {
        const answer = await askMonitoring(fixture.daemon, path);
        assert.equal(answer.status, 200, answer.text);
      }
    }
    assert.equal(
      (await Scrape.of(fixture.daemon)).sum('imageio_operations_active', { operation: 'write' }),
      6,
    );
    await storage.thaw();
    await Promise.all(hanging);
    for (const client of clients) client.close();
  });
});
