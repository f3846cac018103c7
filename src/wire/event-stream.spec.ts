import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { ListenerUnderTest, type ListenerChanges } from '../../test/support/listener-under-test.js';
import type { RawSocket } from '../../test/support/raw-socket.js';
import { MiB } from '../base/units.js';
import { ClientTimeoutError, UnavailableError } from '../base/errors.js';
import { EventStreams, type EventStream, type EventStreamsOptions } from './event-stream.js';

const get = ['GET / HTTP/1.1', 'Host: localhost'];

/** A listener that answers with streams. */
class StreamingListener implements AsyncDisposable {
  readonly #begun: EventStream[];

  private constructor(
    readonly service: ListenerUnderTest,
    readonly streams: EventStreams,
    begun: EventStream[],
  ) {
    this.#begun = begun;
  }

  static async open(
    options: Partial<EventStreamsOptions> = {},
    changes: ListenerChanges = {},
  ): Promise<StreamingListener> {
    const streams = new EventStreams({ streamsMax: 10, ...options });
    const begun: EventStream[] = [];
    const service = await ListenerUnderTest.open(async (exchange) => {
      const stream = streams.begin(exchange);
      begun.push(stream);
      await stream.closed;
    }, changes);
    return new StreamingListener(service, streams, begun);
  }

  /** A client that has asked for a stream. */
  async ask(): Promise<RawSocket> {
    const client = await this.service.connect();
    await client.sendHead(...get);
    return client;
  }

  /** The stream of the nth request, when it has begun. */
  async stream(number = 1): Promise<EventStream> {
    await this.service.exchange(number);
    const found = this.#begun[number - 1];
    assert.ok(found);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
  }
}

describe('an event stream', () => {
  test('says that it is not to be kept or collected, and begins before there is an event', async () => {
    await using listener = await StreamingListener.open();
    const client = await listener.ask();
    const head = (await client.readUntil('\r\n\r\n')).toString();
    assert.match(head, /^HTTP\/1\.1 200 /);
    assert.match(head, /^Content-Type: text\/event-stream\r$/m);
    assert.match(head, /^Cache-Control: no-store, no-transform\r$/m);
    assert.match(head, /^X-Accel-Buffering: no\r$/m);
  });

  test('sends each event with its type, its id and its data in one line', async () => {
    await using listener = await StreamingListener.open();
    const client = await listener.ask();
    const events = await listener.stream();
    events.send({ event: 'progress', data: { text: 'a\nb' }, id: 'x-1' });
    await client.readUntil('id: x-1\nevent: progress\ndata: {"text":"a\\nb"}\n\n');
    await events.taken();
    events.end({ event: 'removed', data: {} });
    await client.readUntil('event: removed\ndata: {}\n\n\r\n0\r\n\r\n');
    assert.equal(await listener.service.ended(), undefined);
  });

  test('keeps only the newest event of a type while the socket has not taken the last one', async () => {
    await using listener = await StreamingListener.open();
    const client = await listener.ask();
    const events = await listener.stream();
    for (const number of [1, 2, 3]) events.send({ event: 'progress', data: number });
    events.send({ event: 'flushed', data: 1 });
    events.send({ event: 'progress', data: 4 });
    await events.taken();
    events.end();
    const received = (await client.readUntil('0\r\n\r\n')).toString();
    assert.deepEqual(received.match(/event: \w+\ndata: \d/g), [
      'event: progress\ndata: 1',
      'event: flushed\ndata: 1',
      'event: progress\ndata: 4',
    ]);
  });

  test('sends what waits and the last event when it ends, to a reader of HTTP/1.0 as well', async () => {
    await using listener = await StreamingListener.open();
    const client = await listener.service.connect();
    await client.sendHead('GET / HTTP/1.0');
    const events = await listener.stream();
    events.send({ event: 'progress', data: 1 });
    events.send({ event: 'progress', data: 2 });
    events.end({ event: 'expired', data: {} });
    events.send({ event: 'progress', data: 3 });
    const received = (await client.readUntilClose()).toString();
    assert.match(received, /data: 1\n\nevent: progress\ndata: 2\n\nevent: expired\ndata: \{\}\n\n$/);
  });

  test('costs one event and not a queue when its client never reads', async () => {
    await using listener = await StreamingListener.open();
    const client = await listener.ask();
    client.pause();
    const events = await listener.stream();
    const { response } = await listener.service.exchange();
    const data = 'x'.repeat(MiB);
    let mostBytes = 0;
    for (let count = 0; count < 200; count++) {
      events.send({ event: 'progress', data });
      await setImmediate();
      mostBytes = Math.max(mostBytes, response.writableLength);
    }
    assert.ok(mostBytes < 2.5 * MiB, `${mostBytes} bytes waited for the reader`);
  });

  test('cuts a client that takes nothing for as long as its connection may be silent', async () => {
    await using listener = await StreamingListener.open({}, { limits: { unauthorisedSilenceSeconds: 0.5 } });
    const client = await listener.ask();
    client.pause();
    const events = await listener.stream();
    const data = 'x'.repeat(MiB);
    const fill = async (): Promise<void> => {
      while (!events.over) {
        events.send({ event: 'progress', data });
        await events.taken();
      }
    };
    const [failure] = await Promise.all([listener.service.ended(), fill()]);
    assert.ok(failure instanceof ClientTimeoutError);
    assert.equal(listener.streams.open, 0);
  });

  test('is not cut for silence while its client has all there is', async () => {
    await using listener = await StreamingListener.open(
      { commentSeconds: 60 },
      { limits: { unauthorisedSilenceSeconds: 0.1 } },
    );
    const client = await listener.ask();
    const events = await listener.stream();
    const { request } = await listener.service.exchange();
    // The limit of the connection passes three times.
    for (let count = 0; count < 3; count++) await once(request.socket, 'timeout');
    events.end({ event: 'removed', data: {} });
    await client.readUntil('event: removed');
  });

  test('shows by comments that it is alive', async () => {
    await using listener = await StreamingListener.open({ commentSeconds: 0.05 });
    const client = await listener.service.connect();
    await client.sendHead('GET / HTTP/1.0');
    await client.readUntil(':\n\n:\n\n:\n\n');
  });

  test('has ended when its client leaves, which is no failure', async () => {
    await using listener = await StreamingListener.open();
    const client = await listener.ask();
    const events = await listener.stream();
    assert.equal(listener.streams.open, 1);
    client.close();
    assert.equal(await listener.service.ended(), undefined);
    assert.equal(listener.streams.open, 0);
    assert.equal(events.over, true);
    events.send({ event: 'progress', data: 1 });
    await events.taken();
    events.end();
  });

  test('looks at once whether a client that has ended its side is still there', async () => {
    await using listener = await StreamingListener.open({ commentSeconds: 3600 });
    const client = await listener.ask();
    await client.readUntil('\r\n\r\n');
    client.halfClose();
    await client.readUntil(':\n\n');
    const events = await listener.stream();
    events.end({ event: 'removed', data: {} });
    await client.readUntil('event: removed');
  });

  test('is refused when too many are open, until one has ended', async () => {
    await using listener = await StreamingListener.open({ streamsMax: 1 });
    const first = await listener.ask();
    await listener.stream();
    const second = await listener.ask();
    const refusal = (await second.readUntil('limit is 1')).toString();
    assert.match(refusal, /^HTTP\/1\.1 503 [^]*^Retry-After: 5\r$/m);
    assert.ok((await listener.service.ended(2)) instanceof UnavailableError);
    first.close();
    await listener.service.ended(1);
    await second.sendHead(...get);
    await second.readUntil('text/event-stream');
  });

  test('is told when the service begins to stop', async () => {
    await using listener = await StreamingListener.open();
    const client = await listener.ask();
    const events = await listener.stream();
    const exchange = await listener.service.exchange();
    exchange.onDrain(() => {
      events.end({ event: 'draining', data: {} });
    });
    listener.service.listener.drain();
    await client.readUntil('event: draining\ndata: {}\n\n\r\n0\r\n\r\n');
    assert.equal(await listener.service.ended(), undefined);
  });
});
