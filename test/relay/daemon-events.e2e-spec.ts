import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
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
