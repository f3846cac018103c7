import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aborted, ListenerUnderTest, type Work } from '../../test/support/listener-under-test.js';
import type { RawSocket } from '../../test/support/raw-socket.js';
import { ClientGoneError, StorageError } from '../base/errors.js';
import { MiB } from '../base/units.js';
import { EarlyHead, type EarlyHeadTimes } from './early-head.js';
import type { Exchange } from './exchange.js';

const type = { 'Content-Type': 'application/json' };
/** Nothing leaves by itself. */
const patient: EarlyHeadTimes = { headAfterMs: 60_000, textWaitsMs: 60_000, spaceEachMs: 60_000 };
const quick: EarlyHeadTimes = { headAfterMs: 20, textWaitsMs: 20, spaceEachMs: 20 };

type HeadWork = (head: EarlyHead, exchange: Exchange) => Promise<void> | void;

function withHead(work: HeadWork, times: EarlyHeadTimes): Work {
  return async (exchange) => {
    const head = new EarlyHead(exchange, type, times);
    head.start();
    try {
      await work(head, exchange);
    } finally {
      head.stop();
    }
  };
}

/** A client that has asked for what `work` answers, and what lets that go on. */
async function asked(
  service: ListenerUnderTest,
  version = '1.1',
): Promise<{ readonly client: RawSocket; readonly exchange: Exchange }> {
  const client = await service.connect();
  await client.sendHead(`GET / HTTP/${version}`, 'Host: localhost', 'Connection: close');
  return { client, exchange: await service.exchange() };
}

/** Goes on when the test says so. */
class Gate {
  readonly #opened = Promise.withResolvers<undefined>();
  readonly passed = this.#opened.promise;

  open(): void {
    this.#opened.resolve(undefined);
  }
}

async function untilGone(exchange: Exchange): Promise<never> {
  throw await aborted(exchange);
}

describe('an early head', () => {
  test('is none where the result is soon: one whole answer with its length', async () => {
    await using service = await ListenerUnderTest.open(
      withHead(async (head) => {
        await head.write('[1');
        head.end(']');
      }, patient),
    );
    const { client } = await asked(service);
    const received = (await client.readUntilClose()).toString('latin1');
    assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(received, /Content-Length: 3\r\n/);
    assert.match(received, /\r\n\r\n\[1\]$/);
  });

  test('is none where a failure is soon: the failure has its status', async () => {
    await using service = await ListenerUnderTest.open(
      withHead(async (head) => {
        await head.write('[1');
        throw new StorageError('Cannot be read');
      }, patient),
    );
    const { client } = await asked(service);
    const received = (await client.readUntilClose()).toString('latin1');
    assert.match(received, /^HTTP\/1\.1 500 /);
    assert.doesNotMatch(received, /\[1/);
  });

  test('leaves with white space, again and again, until there is a result', async () => {
    const gate = new Gate();
    await using service = await ListenerUnderTest.open(
      withHead(async (head) => {
        await gate.passed;
        head.end('{}');
      }, quick),
    );
    const { client } = await asked(service);
    await client.readUntil('1\r\n \r\n'.repeat(3));
    gate.open();
    const received = (await client.readUntilClose()).toString('latin1');
    const end = received.indexOf('\r\n\r\n') + 4;
    assert.match(received.slice(0, end), /^HTTP\/1\.1 200 OK\r\n[^]*Transfer-Encoding: chunked/i);
    assert.doesNotMatch(received.slice(0, end), /Content-Length/i);
    assert.match(received.slice(end), /^(?:1\r\n \r\n)+2\r\n\{\}\r\n0\r\n\r\n$/);
  });

  test('leaves with the text that there is', async () => {
    await using service = await ListenerUnderTest.open(
      withHead(async (head, exchange) => {
        await head.write('[1');
        await untilGone(exchange);
      }, quick),
    );
    const { client } = await asked(service);
    await client.readUntil('\r\n\r\n2\r\n[1\r\n');
    client.reset();
    assert.ok((await service.ended()) instanceof ClientGoneError);
  });

  test('is followed by nothing but a cut when the work fails', async () => {
    const gate = new Gate();
    await using service = await ListenerUnderTest.open(
      withHead(async () => {
        await gate.passed;
        throw new StorageError('Cannot be read');
      }, quick),
    );
    const { client } = await asked(service);
    await client.readUntil('1\r\n \r\n');
    gate.open();
    const received = (await client.readUntilClose()).toString('latin1');
    assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
    assert.doesNotMatch(received, /0\r\n\r\n$|Cannot/);
  });

  test('goes before a body without framing for a client of HTTP/1.0', async () => {
    const gate = new Gate();
    await using service = await ListenerUnderTest.open(
      withHead(async (head) => {
        await gate.passed;
        head.end('{}');
      }, quick),
    );
    const { client } = await asked(service, '1.0');
    await client.readUntil('\r\n\r\n  ');
    gate.open();
    const received = (await client.readUntilClose()).toString('latin1');
    assert.doesNotMatch(received, /Transfer-Encoding/i);
    assert.match(received, /\r\n\r\n +\{\}$/);
  });

  test('has the work wait for a client that does not read', async () => {
    let written = 0;
    // More than the kernel takes.
    const piece = 'x'.repeat(64 * MiB);
    const waits = new Gate();
    await using service = await ListenerUnderTest.open(
      withHead(async (head) => {
        for (;;) {
          const room = head.write(piece);
          waits.open();
          await room;
          written += 1;
        }
      }, patient),
    );
    const client = await service.connect();
    client.pause();
    await client.sendHead('GET / HTTP/1.1', 'Host: localhost');
    const exchange = await service.exchange();
    await waits.passed;
    assert.ok(exchange.waitsForClient);
    client.reset();
    assert.ok((await service.ended()) instanceof ClientGoneError);
    assert.equal(written, 0);
  });
});
