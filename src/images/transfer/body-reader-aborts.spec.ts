import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { serveBodies } from '../../../test/support/bodies-under-test.js';
import { aborted } from '../../../test/support/listener-under-test.js';
import { ClientGoneError, ClientTimeoutError } from '../../base/errors.js';
import { BodyReader } from './body-reader.js';

describe('a body reader that is stopped by its signal', () => {
  const reason = new ClientTimeoutError('Client was silent');

  for (const [what, wait] of [
    ['an arrival', (body: BodyReader) => body.arrival()],
    ['a buffer', (body: BodyReader) => body.fill(Buffer.alloc(2))],
  ] as const) {
    test(`waits for ${what} no more`, async () => {
      await using underTest = await serveBodies(async (body, exchange) => {
        const waiting = wait(body);
        exchange.abort(reason);
        await waiting;
      });
      await underTest.beginPut('Content-Length: 2');
      assert.equal(await underTest.ended(), reason);
    });

    test(`does not begin to wait for ${what}`, async () => {
      await using underTest = await serveBodies(async (body, exchange) => {
        exchange.abort(reason);
        await wait(body);
      });
      await underTest.beginPut('Content-Length: 2');
      assert.equal(await underTest.ended(), reason);
    });
  }

  test('fails with it when the client resets the connection', async () => {
    await using underTest = await serveBodies(async (body) => {
      await body.arrival();
    });
    const client = await underTest.beginPut('Content-Length: 2');
    await underTest.exchange();
    client.reset();
    assert.ok((await underTest.ended()) instanceof ClientGoneError);
  });

  test('does not hear of it after its end', async () => {
    await using underTest = await serveBodies(async (body, exchange) => {
      assert.equal(await body.arrival(), false);
      body.stop();
      body.stop();
      assert.equal(exchange.request.listenerCount('data'), 0);
      exchange.abort(reason);
      assert.equal(await aborted(exchange), reason);
    });
    await underTest.beginPut('Content-Length: 0');
    assert.equal(await underTest.ended(), undefined);
  });
});
