import assert from 'node:assert/strict';
import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { aborted, ListenerUnderTest } from '../../test/support/listener-under-test.js';
import { within } from '../../test/support/deadline.js';
import { ClientGoneError, ClientTimeoutError, ConflictError, InvalidRequestError } from '../base/errors.js';
import { Exchange } from './exchange.js';

const upload = ['PUT / HTTP/1.1', 'Host: localhost', 'Content-Length: 5'];
const get = ['GET / HTTP/1.1', 'Host: localhost'];

describe('an exchange', () => {
  test('is found by its request, and only by one that came through a listener', async () => {
    await using service = await ListenerUnderTest.open((exchange) => {
      assert.equal(Exchange.of(exchange.request), exchange);
      exchange.send(204);
    });
    const client = await service.connect();
    await client.sendHead(...get);
    await client.readUntil('HTTP/1.1 204');
    assert.throws(() => Exchange.of(new IncomingMessage(new Socket())), /not come through/);
  });

  test('says the length of every answer, and has no body for HEAD', async () => {
    await using service = await ListenerUnderTest.open((exchange) => {
      exchange.send(200, {}, 'grüße');
    });
    const client = await service.connect();
    await client.sendHead(...get, 'Connection: close');
    const answer = (await client.readUntilClose()).toString('utf8');
    assert.match(answer, /Content-Length: 7\r\n/);
    assert.match(answer, /\r\n\r\ngrüße$/);
    const head = await service.connect();
    await head.sendHead('HEAD / HTTP/1.1', 'Host: localhost', 'Connection: close');
    assert.match((await head.readUntilClose()).toString('utf8'), /Content-Length: 7\r\n[^]*\r\n\r\n$/);
  });

  test('tells a client that asked for it to send its body, once', async () => {
    await using service = await ListenerUnderTest.open(async (exchange) => {
      exchange.readyForBody();
      exchange.readyForBody();
      exchange.request.resume();
      await once(exchange.request, 'end');
      exchange.send(200);
    });
    const client = await service.connect();
    await client.sendHead(...upload, 'Expect: 100-continue', 'Connection: close');
    await client.readUntil('HTTP/1.1 100 Continue\r\n\r\n');
    await client.send('12345');
    const answers = (await client.readUntilClose()).toString('latin1').match(/HTTP\/1\.1 \d+/g);
    assert.deepEqual(answers, ['HTTP/1.1 100', 'HTTP/1.1 200']);
  });

  test('tells nobody who did not ask for it to send a body', async () => {
    await using service = await ListenerUnderTest.open((exchange) => {
      exchange.readyForBody();
      exchange.send(200);
    });
    const client = await service.connect();
    await client.sendHead(...get);
    assert.match((await client.readUntil('\r\n\r\n')).toString('latin1'), /^HTTP\/1\.1 200 /);
  });

  test('lets its connection go on after a request that is complete', async () => {
    await using service = await ListenerUnderTest.open((exchange) => {
      assert.equal(exchange.bodyPending, false);
      exchange.send(200);
    });
    const client = await service.connect();
    for (const number of [1, 2]) {
      await client.sendHead(...get);
      assert.equal(await service.ended(number), undefined);
    }
  });

  for (const [what, head] of [
    ['of which bytes are missing', upload],
    ['whose last chunk is missing', ['PUT / HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked']],
  ] as const) {
    test(`is the last of its connection when it is answered before a body ${what}`, async () => {
      await using service = await ListenerUnderTest.open((exchange) => {
        assert.equal(exchange.bodyPending, true);
        exchange.send(200);
      });
      const client = await service.connect();
      await client.sendHead(...head);
      // Only once the answer is there: what is taken for the body must not become a request.
      await client.readUntil('Connection: close');
      await client.sendHead(...get);
      await client.readUntilClose();
      assert.equal(service.requestCount, 1);
    });
  }

  test('counts the time in which the client is waited for, and no other', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using service = await ListenerUnderTest.open(async (exchange) => {
      assert.equal(exchange.waitsForClient, false);
      assert.equal(exchange.clientSeconds, 0);
      await exchange.waitForClient(gate.promise);
      assert.equal(exchange.waitsForClient, false);
      exchange.send(200);
      assert.equal(exchange.waitsForClient, true, 'the answer is to be read');
    });
    const client = await service.connect();
    await client.sendHead(...get);
    const exchange = await service.exchange();
    assert.equal(exchange.waitsForClient, true);
    gate.resolve(undefined);
    assert.equal(await service.ended(), undefined);
    assert.ok(exchange.clientSeconds > 0);
  });

  test('waits for the client no more when that wait fails', async () => {
    await using service = await ListenerUnderTest.open(async (exchange) => {
      await assert.rejects(exchange.waitForClient(Promise.reject(new ClientGoneError())), ClientGoneError);
      assert.equal(exchange.waitsForClient, false);
      exchange.send(200);
    });
    const client = await service.connect();
    await client.sendHead(...get);
    assert.equal(await service.ended(), undefined);
  });

  test('has ended its work only when all of it has, also after the answer', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using service = await ListenerUnderTest.open(async (exchange) => {
      exchange.send(200);
      await gate.promise;
    });
    const client = await service.connect();
    await client.sendHead(...get);
    await client.readUntil('HTTP/1.1 200');
    let isEnded = false;
    const ended = (await service.exchange()).workEnded().then(() => (isEnded = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isEnded, false);
    gate.resolve(undefined);
    await within(ended, 'the end of the work');
  });

  test('is not aborted by its own end', async () => {
    await using service = await ListenerUnderTest.open((exchange) => {
      exchange.send(200);
    });
    const client = await service.connect();
    await client.sendHead(...get, 'Connection: close');
    await client.readUntilClose();
    const { signal, connection } = await service.exchange();
    assert.equal(signal.aborted, false);
    assert.equal(connection.exchanges.length, 0);
  });

  test('is aborted for the first reason only', async () => {
    const first = new ClientTimeoutError('Client was silent');
    await using service = await ListenerUnderTest.open((exchange) => {
      exchange.abort(first);
      exchange.abort(new ConflictError('Something else'));
    });
    const client = await service.connect();
    await client.sendHead(...get);
    client.reset();
    const exchange = await service.exchange();
    await once(exchange.response, 'close');
    assert.equal(await aborted(exchange), first);
  });

  test('whose body is broken says the first reason, and closes', async () => {
    await using service = await ListenerUnderTest.open((exchange) => {
      exchange.breakBody(new InvalidRequestError('First'));
      exchange.breakBody(new InvalidRequestError('Second'));
      throw exchange.bodyBroken ?? new Error('It is not broken');
    });
    const client = await service.connect();
    await client.sendHead(...get);
    const answer = (await client.readUntilClose()).toString('latin1');
    assert.match(answer, /^HTTP\/1\.1 400 [^]*Connection: close[^]*First/);
    assert.doesNotMatch(answer, /Second/);
  });
});
