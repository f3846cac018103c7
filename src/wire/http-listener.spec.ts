import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aborted, ListenerUnderTest, type Work } from '../../test/support/listener-under-test.js';
import { eventually } from '../../test/support/deadline.js';
import { UnavailableError } from '../base/errors.js';
import type { ListenerObserver } from './listener-observer.js';

const get = ['GET / HTTP/1.1', 'Host: localhost'];

const answering: Work = (exchange) => {
  exchange.send(200);
};

const endless: Work = async (exchange) => {
  throw await aborted(exchange);
};

describe('a listener', () => {
  test('has an address only while it is open', async () => {
    await using service = new ListenerUnderTest(answering);
    assert.throws(() => service.listener.address, /The remote listener is not open/);
    assert.equal(service.listener.accepting, false);
    await service.listener.open();
    assert.match(service.listener.address, /^http:\/\/.*:\d+$/);
    assert.equal(service.listener.accepting, true);
    service.listener.close();
    service.listener.close();
    assert.equal(service.listener.accepting, false);
  });

  test('counts connections and running requests', async () => {
    await using service = await ListenerUnderTest.open(endless);
    const { listener } = service;
    const client = await service.connect();
    await client.sendHead(...get);
    await service.exchange();
    assert.deepEqual([listener.connections, listener.running], [1, 1]);
    client.reset();
    await service.ended();
    await eventually(() => (listener.connections === 0 ? true : undefined), 'the connection is gone');
    assert.equal(listener.running, 0);
  });

  test('refuses a request without Host before its work, and ends the connection', async () => {
    await using service = await ListenerUnderTest.open(answering);
    const client = await service.connect();
    await client.sendHead('GET / HTTP/1.1');
    assert.match((await client.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 400 [^]*Host header/);
    assert.equal(service.requestCount, 0);
  });

  test('ends a connection on which more requests wait than may', async () => {
    await using service = await ListenerUnderTest.open(endless, { limits: { pipelinedRequestsMax: 2 } });
    const client = await service.connect();
    await client.send([...get, '', ''].join('\r\n').repeat(4));
    assert.equal((await client.readUntilClose()).length, 0);
    assert.equal(service.requestCount, 1);
  });

  test('runs pipelined requests one after the other', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using service = await ListenerUnderTest.open(async (exchange) => {
      await gate.promise;
      exchange.send(200);
    });
    const client = await service.connect();
    await client.send([...get, '', ''].join('\r\n').repeat(3));
    const { connection } = await service.exchange();
    assert.equal(connection.exchanges.length, 3);
    assert.equal(service.requestCount, 1);
    gate.resolve(undefined);
    assert.equal(await service.ended(3), undefined);
  });

  test('tells its observer of each request once, with 0 for a client that has gone', async () => {
    const events: string[] = [];
    const observer: ListenerObserver = {
      requestEnded: ({ method, status }) => events.push(`${method} ${status}`),
      requestRefused: (_listener, status) => events.push(`refused ${status}`),
      handshakeFailed: () => events.push('handshake failed'),
    };
    await using service = await ListenerUnderTest.open(endless, { observer });
    const client = await service.connect();
    await client.sendHead(...get);
    await service.exchange();
    client.reset();
    await service.ended();
    await eventually(() => (events.length > 0 ? true : undefined), 'it was told');
    assert.deepEqual(events, ['GET 0']);
  });
});

describe('a listener that drains', () => {
  test('closes idle connections, answers 503 on those in use and takes no new ones', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using service = await ListenerUnderTest.open(async (exchange) => {
      await gate.promise;
      exchange.send(200);
    });
    const idle = await service.connect();
    const busy = await service.connect();
    await busy.send([...get, '', ''].join('\r\n').repeat(2));
    await service.exchange();
    service.listener.drain();
    service.listener.drain();
    assert.equal(service.listener.accepting, false);
    await idle.readUntilClose();
    await assert.rejects(service.connect());
    gate.resolve(undefined);
    const answers = (await busy.readUntilClose()).toString('latin1');
    assert.match(answers, /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 503 [^]*Retry-After: /);
    assert.equal(service.requestCount, 1);
  });

  test('aborts what runs with the reason, and cuts what is left', async () => {
    const reason = new UnavailableError('The service is stopping');
    const gate = Promise.withResolvers<undefined>();
    await using service = await ListenerUnderTest.open(async (exchange) => {
      assert.equal(await aborted(exchange), reason);
      await gate.promise;
    });
    const client = await service.connect();
    await client.sendHead(...get);
    await service.exchange();
    service.listener.abort(reason);
    assert.equal(client.closed, false);
    service.listener.close();
    assert.equal((await client.readUntilClose()).length, 0);
    gate.resolve(undefined);
    assert.equal(await service.ended(), undefined);
  });
});
