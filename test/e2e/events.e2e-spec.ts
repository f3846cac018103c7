import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { EventClient, type ParsedEvent, type Progress } from '../support/event-client.js';
import { eventually } from '../support/deadline.js';
import type { TicketInfo } from '../support/vdsm.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';

describe('the events of a ticket', () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start({ metrics: { enable: true, port: 0 } });
  });
  after(() => fixture[Symbol.asyncDispose]());

  const follow = (image: ImageTicket, headers = {}): Promise<EventClient> =>
    EventClient.follow(fixture.daemon.address('remote'), `${image.path}/events`, headers);
  const idle = ({ data }: ParsedEvent<Progress>): boolean => !data.active && data.bytes_per_second === 0;

  test('agree with polling at every step of an upload', async () => {
    const image = await fixture.addImage(MiB);
    using events = await follow(image);
    const first = await events.next('the state of now');
    assert.deepEqual(
      [first.event, first.data],
      [
        'progress',
        {
          transferred: 0,
          received_bytes: 0,
          durable_bytes: 0,
          active: false,
          connections: 0,
          bytes_per_second: 0,
        },
      ],
    );
    const client = fixture.client();
    for (let step = 1; step <= 3; step++) {
      await client.write(image.id, Buffer.alloc(64 * KiB, 'x'), (step - 1) * 64 * KiB);
      const { data } = await events.next(`step ${step}`, (event) => {
        return event.data.transferred === step * 64 * KiB && idle(event);
      });
      const { transferred, active, connections } = await fixture.vdsm.getTicket(image.id);
      assert.deepEqual(
        { transferred: data.transferred, active: data.active, connections: data.connections },
        { transferred, active, connections },
      );
      assert.equal(data.received_bytes, transferred);
      assert.equal(data.durable_bytes, 0);
    }
    await client.flush(image.id);
    const { data: flushed } = await events.of('flushed');
    assert.equal(flushed.durable_bytes, 192 * KiB);
    const speeds = events.events.map(({ data }) => data.bytes_per_second);
    assert.ok(
      speeds.some((speed) => speed > 0),
      `speeds ${speeds.join(', ')}`,
    );
    await fixture.vdsm.removeTicket(image.id);
    const { data: last } = await events.of('removed');
    assert.equal(last.transferred, 192 * KiB);
    assert.equal(await events.ended(), 'whole');
  });

  test('tell that it was extended, and that it has expired, which may be undone', async () => {
    const image = await fixture.addImage(MiB, { timeout: 2 });
    using events = await follow(image);
    await fixture.vdsm.extendTicket(image.id, 1);
    const { data } = await events.of('extended');
    assert.ok(data.expires_in !== undefined && data.expires_in <= 1);
    await events.of('expired');
    assert.equal(await events.ended(), 'whole');
    await assert.rejects(follow(image), /answered with 403/);
    await fixture.vdsm.extendTicket(image.id, 60);
    using again = await follow(image);
    await again.of('progress');
  });

  test('do not renew the ticket, which is as it was before', async () => {
    const image = await fixture.addImage(MiB);
    const before = await fixture.vdsm.getTicket(image.id);
    using events = await follow(image);
    await events.of('progress');
    const { expires, active, connections } = await fixture.vdsm.getTicket(image.id);
    assert.deepEqual(
      { expires, active, connections },
      { expires: before.expires, active: false, connections: 0 },
    );
  });

  test('tell of a removal that waits for an operation that it was cancelled', async () => {
    const image = await fixture.addImage(MiB);
    using events = await follow(image);
    const upload = await fixture.connect();
    await upload.sendHead(`PUT ${image.path} HTTP/1.1`, 'Host: localhost', 'Content-Length: 100');
    await events.next('the upload', ({ data }) => data.active);
    await fixture.vdsm.removeTicket(image.id);
    assert.equal((await events.of('cancelled')).data.active, true);
    assert.equal(await events.ended(), 'whole');
  });

  test('leave out the first one when the client has that state already', async () => {
    const image = await fixture.addImage(MiB);
    using events = await follow(image);
    const { id } = await events.of('progress');
    using again = await follow(image, { 'Last-Event-ID': id });
    await fixture.vdsm.extendTicket(image.id, 60);
    assert.equal((await again.next('the first event')).event, 'extended');
    using late = await follow(image, { 'Last-Event-ID': id });
    assert.equal((await late.next('the first event')).event, 'progress');
  });

  test('are for web pages of any origin without a preflight, and never kept', async () => {
    const image = await fixture.addImage(MiB);
    using events = await follow(image, { Origin: 'https://engine.example.com' });
    const { headers } = events.answer;
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.equal(headers['content-type'], 'text/event-stream');
    assert.equal(headers['cache-control'], 'no-store, no-transform');
    assert.equal(headers['x-accel-buffering'], 'no');
  });

  test('reach a client of HTTP/1.0, whose connection ends with them', async () => {
    const image = await fixture.addImage(MiB);
    const client = await fixture.connect();
    await client.sendHead(`GET ${image.path}/events HTTP/1.0`);
    await client.readUntil('event: progress\n');
    await fixture.vdsm.removeTicket(image.id);
    const bytes = (await client.readUntilClose()).toString();
    assert.doesNotMatch(bytes, /Transfer-Encoding/);
    assert.match(bytes, /event: removed\ndata: .*\n\n$/);
  });

  test('are refused to HEAD as every list of the image is', async () => {
    const image = await fixture.addImage(MiB);
    const client = fixture.client();
    const { status } = await client.request('HEAD', `${image.path}/extents`);
    assert.equal((await client.request('HEAD', `${image.path}/events`)).status, status);
  });

  test('are refused to who has no ticket', async () => {
    const address = fixture.daemon.address('remote');
    await assert.rejects(EventClient.follow(address, `/images/${randomUUID()}/events`), /answered with 403/);
  });

  test('free what they took when the client leaves, which monitoring shows', async () => {
    const image = await fixture.addImage(MiB);
    const open = async (): Promise<string | undefined> => {
      const { text } = await fixture.client('metrics').request('GET', '/metrics');
      return /^imageio_event_streams (\d+)$/m.exec(text)?.[1];
    };
    await eventually(async () => ((await open()) === '0' ? true : undefined), 'no open streams');
    const events = await follow(image);
    assert.equal(await open(), '1');
    events[Symbol.dispose]();
    await eventually(async () => ((await open()) === '0' ? true : undefined), 'the stream to be closed');
  });
});

describe('the events of a ticket, when the service stops', () => {
  test('end at once with one that says so', async () => {
    await using fixture = await DaemonUnderTest.start();
    const image = await fixture.addImage(MiB);
    using events = await EventClient.follow(fixture.daemon.address('remote'), `${image.path}/events`);
    await events.of('progress');
    const stopped = fixture.daemon.stop();
    await events.of('draining');
    assert.equal(await events.ended(), 'whole');
    await stopped;
  });
});

describe('event streams', () => {
  test('are refused beyond the limit, with a time to try again', async () => {
    await using fixture = await DaemonUnderTest.start({ limits: { event_streams: 1 } });
    const image = await fixture.addImage(MiB);
    using events = await EventClient.follow(fixture.daemon.address('remote'), `${image.path}/events`);
    await events.of('progress');
    const { status, headers } = await fixture.client().request('GET', `${image.path}/events`);
    assert.equal(status, 503);
    assert.equal(headers['retry-after'], '5');
  });
});

type TicketsEvent = readonly TicketInfo[] | readonly string[] | { readonly count: number };

describe('the events of all tickets', () => {
  test('begin with all of them, tell of those that change, and end when the service stops', async () => {
    await using fixture = await DaemonUnderTest.start();
    const images = await Promise.all(Array.from({ length: 101 }, () => fixture.addImage(MiB)));
    using events = await EventClient.follow<TicketsEvent>(
      fixture.daemon.address('control'),
      '/tickets/events',
    );
    assert.deepEqual((await events.of('complete')).data, { count: 101 });
    const all = events.events
      .filter(({ event }) => event === 'tickets')
      .flatMap(({ data }) => data as readonly TicketInfo[]);
    assert.deepEqual(all, await fixture.vdsm.listTickets());
    const [image, other] = images;
    assert.ok(image && other);
    await fixture.client().write(image.id, Buffer.alloc(64 * KiB, 'x'), 0);
    const { data: changed } = await events.next('the upload', ({ event, data }) => {
      return (
        event === 'tickets' && (data as TicketInfo[]).some(({ transferred }) => transferred === 64 * KiB)
      );
    });
    assert.deepEqual(
      (changed as TicketInfo[]).map(({ uuid }) => uuid),
      [image.id],
    );
    await fixture.vdsm.removeTicket(other.id);
    assert.deepEqual((await events.of('removed')).data, [other.id]);
    const stopped = fixture.daemon.stop();
    await events.of('draining');
    assert.equal(await events.ended(), 'whole');
    await stopped;
  });

  test('are the ticket of that id for who does not accept them', async () => {
    await using fixture = await DaemonUnderTest.start();
    await assert.rejects(fixture.vdsm.getTicket('events'), /status=404/);
    await fixture.addImage(MiB, { uuid: 'events' });
    assert.equal((await fixture.vdsm.getTicket('events')).uuid, 'events');
  });
});
