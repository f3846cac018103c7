import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { within } from '../support/deadline.js';
import { EventClient } from '../support/event-client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { cut, ScriptedDaemon } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();

/** A stream that a daemon is asked for by a client of the relay. */
async function follow() {
  const stack = new AsyncDisposableStack();
  const daemon = stack.use(
    await ScriptedDaemon.start(identity, ({ response }) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
    }),
  );
  const relay = stack.use(await RelayUnderTest.start(pki));
  const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
  const following = EventClient.follow<unknown>(relay.address, `${imagePath(id)}/events`);
  const seen = await daemon.request();
  const client = stack.use(await following);
  return { client, seen, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe('a daemon that sends events', () => {
  test('is understood wherever its pieces end', async () => {
    await using stream = await follow();
    const text =
      ':\n\nid: 1\r\nevent: progress\r\ndata: {"a":"ü"}\r\n\r\n' +
      'retry: 5\n\ndata:1\n\nevent: x\n\ndata: [\ndata: 2]\n\n';
    for (const byte of Buffer.from(text)) {
      await new Promise((resolve) => stream.seen.response.write(Buffer.of(byte), resolve));
    }
    await stream.client.next('the last event', ({ data }) => Array.isArray(data));
    assert.deepEqual(stream.client.events, [
      { event: 'progress', data: { a: 'ü' }, id: '1' },
      { event: 'message', data: 1, id: undefined },
      { event: 'message', data: [2], id: undefined },
    ]);
  });

  test('waits for no client, and one that never reads gets the newest when it does', async () => {
    await using stream = await follow();
    stream.client.answer.pause();
    const { response } = stream.seen;
    const text = 'x'.repeat(64 * KiB);
    for (let count = 1; count <= 400; count++) {
      const event = `event: progress\ndata: ${JSON.stringify({ count, text })}\n\n`;
      await within(new Promise((resolve) => response.write(event, resolve)), `event ${count} to be taken`);
    }
    response.end();
    stream.client.answer.resume();
    assert.equal(await stream.client.ended(), 'whole');
    const { events } = stream.client;
    assert.equal((events.at(-1)?.data as { count: number }).count, 400);
    assert.ok(events.length < 300, `${events.length} of 400 events waited for the client`);
  });

  for (const [what, text] of [
    ['ends no event', `data: ${'x'.repeat(1_048_577)}`],
    ['sends one without end line by line', 'data: x\n'.repeat(600_000)],
    ['sends other data than JSON', 'data: x\n\n'],
  ] as const) {
    test(`but ${what} is given up, and its client cut`, async () => {
      await using stream = await follow();
      stream.seen.response.on('error', () => undefined).write(text);
      assert.equal(await stream.client.ended(), 'cut');
      await cut(stream.seen);
    });
  }
});
