import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { ProxiesUnderTest } from '../e2e/proxies-under-test.js';
import { imagePath } from '../support/client.js';
import { EventClient } from '../support/event-client.js';
import type { Service } from '../support/processes.js';

describe('the events of a ticket through the proxy', () => {
  let world: ProxiesUnderTest;
  let proxy: Service;
  before(async () => {
    world = await ProxiesUnderTest.start();
    // A daemon may be silent for less time than lies between two comments of a stream.
    proxy = await world.startProxy({ proxy: { imaged_read_timeout_sec: 1 } });
  });
  after(() => world[Symbol.asyncDispose]());

  const follow = (ticketId: string, headers = {}, at = proxy): Promise<EventClient> =>
    EventClient.follow(at.address('remote'), `${imagePath(ticketId)}/events`, headers);

  test('are those of the daemon, for a session and for a signed ticket', async () => {
    const image = await world.addImage(Buffer.alloc(MiB));
    const session = await world.openSession(proxy, image);
    using direct = await follow(image.ticketId, {}, world.daemon);
    using bySession = await follow(image.ticketId, { 'Session-Id': session });
    using bySigned = await follow(image.ticketId, { Authorization: world.sign(image) });
    const clients = [direct, bySession, bySigned];
    for (const client of clients) await client.of('progress');
    await world
      .client(proxy, { headers: { 'Session-Id': session } })
      .write(image.ticketId, Buffer.alloc(64 * KiB, 'x'), 0, true);
    for (const client of clients) {
      assert.equal((await client.of('flushed')).data.durable_bytes, 64 * KiB);
      await client.next('the end of the upload', ({ event, data }) => {
        return event === 'progress' && !data.active && data.transferred === 64 * KiB;
      });
    }
    await world.daemon.vdsm.removeTicket(image.ticketId);
    const [expected, ...others] = await Promise.all(clients.map((client) => client.of('removed')));
    for (const other of others) {
      assert.deepEqual({ ...other.data, bytes_per_second: 0 }, { ...expected?.data, bytes_per_second: 0 });
      assert.equal(other.id, expected?.id);
    }
    for (const client of clients) assert.equal(await client.ended(), 'whole');
  });

  test('end with one when the session is deleted', async () => {
    const image = await world.addImage(Buffer.alloc(MiB));
    const session = await world.openSession(proxy, image);
    using events = await follow(image.ticketId, { 'Session-Id': session });
    await events.of('progress');
    const { status } = await world.client(proxy).request('DELETE', `/sessions/${session}`);
    assert.equal(status, 204);
    assert.match((await events.of('cancelled')).data.reason ?? '', /the session was deleted$/);
    assert.equal(await events.ended(), 'whole');
  });

  test('are no operation of a ticket at the proxy, and end with it', async () => {
    const image = await world.addImage(Buffer.alloc(MiB));
    const uuid = randomUUID();
    const url = `${world.daemon.url}${imagePath(image.ticketId)}`;
    await proxy.vdsm.addTicket({ uuid, size: MiB, ops: ['write'], timeout: 300, url });
    const before = await proxy.vdsm.getTicket(uuid);
    using events = await follow(uuid);
    await events.of('progress');
    const { active, connections, expires } = await proxy.vdsm.getTicket(uuid);
    assert.deepEqual(
      { active, connections, expires },
      { active: false, connections: 0, expires: before.expires },
    );
    await proxy.vdsm.removeTicket(uuid);
    assert.match((await events.of('cancelled')).data.reason ?? '', /Ticket was canceled$/);
    assert.equal(await events.ended(), 'whole');
  });

  test('are refused as the daemon refuses them', async () => {
    const unknown = { ticketId: randomUUID(), file: '' };
    await assert.rejects(follow(unknown.ticketId, { Authorization: world.sign(unknown) }), /with 403/);
  });

  test('end when the proxy stops', async () => {
    const stopping = await world.startProxy();
    const image = await world.addImage(Buffer.alloc(MiB));
    using events = await follow(image.ticketId, { Authorization: world.sign(image) }, stopping);
    await events.of('progress');
    const stopped = stopping.stop();
    await events.of('draining');
    assert.equal(await events.ended(), 'whole');
    await stopped;
  });
});
