import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aborted, ListenerUnderTest } from '../../../test/support/listener-under-test.js';
import type { RawSocket } from '../../../test/support/raw-socket.js';
import { ClientGoneError, ClientTimeoutError } from '../../base/errors.js';
import type { Exchange } from '../../wire/exchange.js';
import { BodyReader } from './body-reader.js';

/** Gives each body to `read`. */
function service(read: (body: BodyReader, exchange: Exchange) => Promise<void>): Promise<ListenerUnderTest> {
  return ListenerUnderTest.open(async (exchange) => {
    const body = new BodyReader(exchange, exchange.signal);
    try {
      await read(body, exchange);
    } finally {
      body.stop();
    }
    exchange.send(200);
  });
}

async function begin(underTest: ListenerUnderTest, ...framing: string[]): Promise<RawSocket> {
  const client = await underTest.connect();
  await client.sendHead('PUT / HTTP/1.1', 'Host: localhost', ...framing);
  return client;
}

describe('a body reader that is stopped by its signal', () => {
  const reason = new ClientTimeoutError('Client was silent');

  for (const [what, wait] of [
    ['an arrival', (body: BodyReader) => body.arrival()],
    ['a buffer', (body: BodyReader) => body.fill(Buffer.alloc(2))],
  ] as const) {
    test(`waits for ${what} no more`, async () => {
      await using underTest = await service(async (body, exchange) => {
        const waiting = wait(body);
        exchange.abort(reason);
        await waiting;
      });
      await begin(underTest, 'Content-Length: 2');
      assert.equal(await underTest.ended(), reason);
    });

    test(`does not begin to wait for ${what}`, async () => {
      await using underTest = await service(async (body, exchange) => {
        exchange.abort(reason);
        await wait(body);
      });
      await begin(underTest, 'Content-Length: 2');
      assert.equal(await underTest.ended(), reason);
    });
  }

  test('fails with it when the client resets the connection', async () => {
    await using underTest = await service(async (body) => {
      await body.arrival();
    });
    const client = await begin(underTest, 'Content-Length: 2');
    await underTest.exchange();
    client.reset();
    assert.ok((await underTest.ended()) instanceof ClientGoneError);
  });

  test('does not hear of it after its end', async () => {
    await using underTest = await service(async (body, exchange) => {
      assert.equal(await body.arrival(), false);
      body.stop();
      body.stop();
      assert.equal(exchange.request.listenerCount('data'), 0);
      exchange.abort(reason);
      assert.equal(await aborted(exchange), reason);
    });
    await begin(underTest, 'Content-Length: 0');
    assert.equal(await underTest.ended(), undefined);
  });
});
