import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { aborted, ListenerUnderTest, type Work } from '../../test/support/listener-under-test.js';
import { eventually } from '../../test/support/deadline.js';
import { ClientGoneError, ClientTimeoutError } from '../base/errors.js';
import { ClientConnection, type ConnectionResource } from './client-connection.js';

const get = ['GET / HTTP/1.1', 'Host: localhost'];
const upload = ['PUT / HTTP/1.1', 'Host: localhost', 'Content-Length: 5'];
/** Short, so that its end can be waited for. */
const short = { limits: { unauthorisedSilenceSeconds: 0.2 } };

const answering: Work = (exchange) => {
  exchange.send(200);
};

/** Waits for the client until it is told not to. */
const waiting: Work = async (exchange) => {
  throw await exchange.waitForClient(aborted(exchange));
};

class CountedResource implements ConnectionResource {
  closeCount = 0;

  async close(): Promise<void> {
    this.closeCount += 1;
  }
}

describe('a connection', () => {
  test('is known by its socket alone, and only when a listener accepted that', async () => {
    await using service = await ListenerUnderTest.open((exchange) => {
      assert.equal(ClientConnection.of(exchange.request.socket), exchange.connection);
      exchange.send(200);
    });
    const client = await service.connect();
    await client.sendHead(...get);
    assert.equal(await service.ended(), undefined);
    assert.equal(ClientConnection.find(new Socket()), undefined);
    assert.throws(() => ClientConnection.of(new Socket()), /not accepted/);
  });

  test('knows the requests that are being answered, in their order', async () => {
    await using service = await ListenerUnderTest.open(waiting);
    const client = await service.connect();
    await client.sendHead(...get);
    const first = await service.exchange();
    await client.sendHead(...get);
    const { connection } = first;
    await eventually(() => (connection.exchanges.length === 2 ? true : undefined), 'both are there');
    assert.equal(connection.exchanges[0], first);
    assert.equal(service.requestCount, 1, 'the second waits for the first');
  });

  test('closes what was kept for it once, and not what was forgotten', async () => {
    const [kept, forgotten] = [new CountedResource(), new CountedResource()];
    await using service = await ListenerUnderTest.open((exchange) => {
      const { connection } = exchange;
      connection.keep(kept, kept);
      connection.keep(forgotten, forgotten);
      connection.forget(forgotten);
      assert.equal(connection.resource(kept), kept);
      assert.equal(connection.resource(forgotten), undefined);
      exchange.send(200);
    });
    const client = await service.connect();
    await client.sendHead(...get);
    await client.readUntil('HTTP/1.1 200');
    const { connection, request } = await service.exchange();
    assert.equal(kept.closeCount, 0, 'it is there for the next request');
    const closed = once(request.socket, 'close');
    connection.destroy();
    connection.destroy();
    await closed;
    assert.deepEqual([kept.closeCount, forgotten.closeCount], [1, 0]);
    assert.equal(connection.resource(kept), undefined);
  });

  test('that breaks aborts every request of it', async () => {
    await using service = await ListenerUnderTest.open(waiting);
    const client = await service.connect();
    await client.sendHead(...get);
    await client.sendHead(...get);
    const { connection } = await service.exchange();
    await eventually(() => (connection.exchanges.length === 2 ? true : undefined), 'both are there');
    const reasons: Error[] = [];
    for (const exchange of connection.exchanges) {
      const abort = exchange.abort.bind(exchange);
      exchange.abort = (reason) => {
        reasons.push(reason);
        abort(reason);
      };
    }
    client.reset();
    assert.ok((await service.ended()) instanceof ClientGoneError);
    assert.ok(reasons.length >= 2);
    assert.ok(reasons.every((reason) => reason instanceof ClientGoneError));
    assert.equal(service.requestCount, 1, 'nobody wants the second any more');
  });
});

describe('a silent connection', () => {
  test('ends without a word when nothing was asked for', async () => {
    await using service = await ListenerUnderTest.open(answering, short);
    const client = await service.connect();
    assert.equal((await client.readUntilClose()).length, 0);
  });

  test('ends after its answer', async () => {
    await using service = await ListenerUnderTest.open(answering, short);
    const client = await service.connect();
    await client.sendHead(...get);
    assert.match((await client.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
  });

  test('is answered 408 while its body is waited for', async () => {
    await using service = await ListenerUnderTest.open(waiting, short);
    const client = await service.connect();
    await client.sendHead(...upload);
    assert.match(
      (await client.readUntilClose()).toString('latin1'),
      /^HTTP\/1\.1 408 [^]*silent for 0\.2 sec/,
    );
    assert.ok((await service.ended()) instanceof ClientTimeoutError);
  });

  test('stays while it is us who are waited for, and ends when it is the client again', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using service = await ListenerUnderTest.open(async (exchange) => {
      await gate.promise;
      assert.equal(exchange.signal.aborted, false);
      await exchange.waitForClient(aborted(exchange));
      throw exchange.signal.reason as Error;
    }, short);
    const client = await service.connect();
    await client.sendHead(...get);
    const { request } = await service.exchange();
    await once(request.socket, 'timeout');
    await once(request.socket, 'timeout');
    gate.resolve(undefined);
    assert.match((await client.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 408 /);
  });

  test('has as long as its ticket says from its first valid request on', async () => {
    await using service = await ListenerUnderTest.open((exchange) => {
      exchange.connection.authorized(0.2);
      exchange.send(200);
    });
    const client = await service.connect();
    await client.sendHead(...get);
    assert.match((await client.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 200 /);
  });
});

describe('a connection without a ticket', () => {
  const overdue = { limits: { unauthorisedLifeSeconds: 0.05 } };

  test('ends however busy it is, once it has had its time', async () => {
    await using service = await ListenerUnderTest.open(waiting, overdue);
    const client = await service.connect();
    await client.sendHead(...upload);
    const answer = (await client.readUntilClose()).toString('latin1');
    assert.match(answer, /^HTTP\/1\.1 408 [^]*showed no ticket for 0\.05 seconds/);
  });

  test('is never overdue once it has shown one', async () => {
    await using service = await ListenerUnderTest.open(async (exchange) => {
      const { connection } = exchange;
      await eventually(() => (connection.overdue ? true : undefined), 'it is overdue');
      connection.authorized(60);
      assert.equal(connection.overdue, false);
      connection.check();
      assert.equal(exchange.signal.aborted, false);
      exchange.send(200);
    }, overdue);
    const client = await service.connect();
    await client.sendHead(...get);
    assert.equal(await service.ended(), undefined);
  });
});
