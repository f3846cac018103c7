import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  ImageClient,
  ImageioError,
  SessionsClient,
  TicketsClient,
  type Endpoint,
  type ImageEvent,
  type JobEvent,
  type TicketsEvent,
} from '#sdk';
import { KiB, MiB } from '../../src/base/units.js';
import { DaemonUnderTest, type ImageTicket } from '../e2e/daemon-under-test.js';
import { ProxiesUnderTest } from '../e2e/proxies-under-test.js';
import { eventually, within } from '../support/deadline.js';
import type { ListenerName, Service } from '../support/processes.js';
import { SocketGateway } from '../support/socket-gateway.js';

function endpoint(service: Service, listener: ListenerName): Endpoint {
  const address = service.address(listener);
  if (address.kind === 'unix') return { baseUrl: 'http://localhost', socketPath: address.path };
  return address.kind === 'tls' ? { baseUrl: service.url, ca: address.ca } : { baseUrl: service.url };
}

/** The next event that `wanted` says yes to. */
async function next<T extends { readonly event: string }>(
  events: AsyncIterator<T>,
  what: string,
  wanted: (event: T) => boolean = () => true,
): Promise<T> {
  const search = async (): Promise<T> => {
    for (;;) {
      const result = await events.next();
      if (result.done === true) throw new Error(`The events ended before ${what}`);
      if (wanted(result.value)) return result.value;
    }
  };
  return within(search(), what);
}

const refusal = (status: number) => (error: unknown) =>
  error instanceof ImageioError && error.status === status;

describe('the events of the TypeScript client', () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start({ metrics: { enable: true, port: 0 } });
  });
  after(() => fixture[Symbol.asyncDispose]());

  const client = (image: ImageTicket, listener: ListenerName = 'remote'): ImageClient =>
    new ImageClient(endpoint(fixture.daemon, listener), image.id);

  const openStreams = async (): Promise<number> => {
    const { text } = await fixture.client('metrics').request('GET', '/metrics');
    return Number(/^imageio_event_streams (\d+)$/m.exec(text)?.[1]);
  };
  const noStreams = (): Promise<boolean> =>
    eventually(async () => ((await openStreams()) === 0 ? true : undefined), 'all streams to be closed');

  for (const listener of ['remote', 'local'] as const) {
    test(`tell of a transfer until its ticket is removed (${listener})`, async () => {
      const image = await fixture.addImage(MiB);
      await using images = client(image, listener);
      const seen: ImageEvent[] = [];
      for await (const event of images.events()) {
        seen.push(event);
        if (seen.length === 1)
          await images.upload(Buffer.alloc(64 * KiB, 'x'), { offsetBytes: 0, lengthBytes: 64 * KiB });
        if (event.event === 'flushed') await fixture.vdsm.removeTicket(image.id);
      }
      assert.deepEqual([seen[0]?.event, seen[0]?.data.transferred], ['progress', 0]);
      assert.deepEqual([seen.at(-1)?.event, seen.at(-1)?.data.durable_bytes], ['removed', 64 * KiB]);
      await noStreams();
    });
  }

  test('end without a trace when the loop is left', async () => {
    const image = await fixture.addImage(MiB);
    await using images = client(image);
    for await (const { event } of images.events()) {
      assert.equal(event, 'progress');
      assert.equal(await openStreams(), 1);
      break;
    }
    await noStreams();
  });

  test('end with the reason of the signal that is aborted, or of the client that is closed', async () => {
    const image = await fixture.addImage(MiB);
    const reason = new Error('enough');
    const abort = new AbortController();
    await using images = client(image);
    const followed = images.events({ signal: abort.signal });
    await next(followed, 'the first event');
    const waiting = followed.next();
    abort.abort(reason);
    await assert.rejects(waiting, reason);

    const closed = client(image);
    const others = closed.events();
    await next(others, 'the first event');
    const ended = assert.rejects(others.next(), /^Error: The client was closed$/);
    await closed.close();
    await ended;
    await noStreams();
  });

  test('go on after their connection was cut, from the state that is known', async () => {
    const image = await fixture.addImage(MiB);
    const local = fixture.daemon.address('local');
    assert.ok(local.kind === 'unix');
    const path = fixture.folder.file('gateway.sock');
    await using gateway = await SocketGateway.open({ target: local.path, path });
    await using images = new ImageClient({ baseUrl: 'http://localhost', socketPath: path }, image.id);
    const followed = images.events();
    const first = await next(followed, 'the first event');
    const coming = next(followed, 'what happened meanwhile');
    gateway.cut();
    await eventually(async () => (gateway.passed.length > 1 ? true : undefined), 'another connection');
    assert.deepEqual(
      gateway.passed.map(({ lastEventId }) => lastEventId),
      [undefined, first.id],
    );
    await fixture.vdsm.extendTicket(image.id, 300);
    assert.equal((await coming).event, 'extended');
    await followed.return(undefined);
  });

  test('are refused where they cannot be had', async () => {
    await using nobody = new ImageClient(endpoint(fixture.daemon, 'remote'), 'none');
    await assert.rejects(nobody.events().next(), refusal(403));
    await using away = new ImageClient({ baseUrl: 'https://localhost:1' }, 'none');
    await assert.rejects(away.events().next(), /ECONNREFUSED/);
  });

  test('tell how a job goes on until it has ended', async () => {
    const image = await fixture.addImage(MiB);
    await using images = client(image);
    const job = await images.beginZero({ offsetBytes: 0, lengthBytes: MiB });
    assert.ok(job);
    const seen: JobEvent[] = [];
    for await (const event of images.jobEvents(job.id)) seen.push(event);
    assert.deepEqual([seen.at(-1)?.event, seen.at(-1)?.data.done], ['done', MiB]);
    await assert.rejects(images.jobEvents(9).next(), refusal(404));
  });

  test('of all tickets begin anew when the service comes back', async () => {
    await using restarted = await DaemonUnderTest.start();
    const image = await restarted.addImage(MiB);
    await using tickets = new TicketsClient(endpoint(restarted.daemon, 'control'));
    const followed = tickets.events();
    assert.deepEqual(await next(followed, 'the beginning'), { event: 'open' });
    const known = await next(followed, 'the tickets');
    assert.ok(known.event === 'tickets');
    assert.deepEqual(known.data, await restarted.vdsm.listTickets());
    assert.deepEqual(await next(followed, 'the end of the list'), { event: 'complete', data: { count: 1 } });
    await restarted.vdsm.removeTicket(image.id);
    const isRemoved = ({ event }: TicketsEvent): boolean => event === 'removed';
    const removed = await next(followed, 'the removal', isRemoved);
    assert.deepEqual(removed, { event: 'removed', data: [image.id] });
    await restarted.daemon.stop();
    assert.equal((await next(followed, 'the stop')).event, 'draining');
    await restarted.restart();
    assert.equal((await next(followed, 'the new beginning')).event, 'open');
    assert.deepEqual(await next(followed, 'the end of the list'), { event: 'complete', data: { count: 0 } });
    await followed.return(undefined);
  });

  test('of all tickets are refused by a service that has none', async () => {
    const control = fixture.daemon.address('control');
    assert.ok(control.kind === 'unix');
    const path = fixture.folder.file('older.sock');
    await using older = await SocketGateway.open({ target: control.path, path, hidesEvents: true });
    await using tickets = new TicketsClient({ baseUrl: 'http://localhost', socketPath: path });
    await assert.rejects(tickets.events().next(), refusal(404));
    await fixture.addImage(MiB, { uuid: 'events' });
    await assert.rejects(tickets.events().next(), /The service sends no events/);
    await fixture.vdsm.removeTicket('events');
    assert.equal(older.passed.length, 2);
  });
});

test('the events of the TypeScript client come through the proxy, and end with the session', async () => {
  await using world = await ProxiesUnderTest.start();
  const proxy = await world.startProxy();
  const image = await world.addImage(Buffer.alloc(MiB));
  await using sessions = new SessionsClient(endpoint(proxy, 'remote'));
  const session = await sessions.open(world.sign(image));
  await using images = sessions.image(session, image.ticketId);
  const followed = images.events();
  await next(followed, 'the first event');
  await sessions.delete(session.session_id);
  const { event, data } = await next(followed, 'the end', (each) => each.event !== 'progress');
  assert.equal(event, 'cancelled');
  assert.match(data.reason ?? '', /the session was deleted$/);
  // The state that was told before comes with it.
  assert.deepEqual([data.transferred, data.active], [0, false]);
  assert.equal((await followed.next()).done, true);
});
