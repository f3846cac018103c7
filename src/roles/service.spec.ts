import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import pino from 'pino';
import { aborted, ListenerUnderTest, type Work } from '../../test/support/listener-under-test.js';
import { buildConfig } from '../config/build-config.js';
import { UnavailableError } from '../base/errors.js';
import { Service } from './service.js';

const get = ['GET / HTTP/1.1', 'Host: localhost'];

const answering: Work = (exchange) => {
  exchange.send(200);
};

const endless: Work = async (exchange) => {
  throw await aborted(exchange);
};

interface Parts {
  readonly graceSeconds?: number;
  readonly monitoring?: ListenerUnderTest;
  readonly lines?: string[];
}

function serviceOf(
  listeners: readonly ListenerUnderTest[],
  { graceSeconds = 0, monitoring, lines }: Parts = {},
): Service {
  return new Service(
    { listeners: listeners.map(({ listener }) => listener), monitoring: monitoring?.listener, graceSeconds },
    pino({ level: 'info' }, { write: (line: string) => lines?.push(line) }),
  );
}

describe('a service', () => {
  test('opens all its listeners, and says where they are', async () => {
    await using remote = new ListenerUnderTest(answering);
    await using monitoring = new ListenerUnderTest(answering, { name: 'metrics' });
    const service = serviceOf([remote], { monitoring });
    await service.open();
    assert.deepEqual(
      service.addresses,
      [monitoring, remote].map(({ listener: { name, address } }) => ({ name, address })),
    );
    const client = await remote.connect();
    await client.sendHead(...get);
    await client.readUntil('HTTP/1.1 200');
  });

  test('leaves none of them open when one cannot be, and names that', async () => {
    const taken = createServer().listen(0, 'localhost');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    await using first = new ListenerUnderTest(answering);
    await using second = new ListenerUnderTest(answering, {
      name: 'second',
      listen: { kind: 'tcp', host: 'localhost', port },
    });
    await assert.rejects(serviceOf([first, second]).open(), /Cannot open the second listener/);
    assert.equal(first.listener.accepting, false);
    taken.close();
  });

  test('that stops lets a running request end within its grace, and takes no other', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using remote = new ListenerUnderTest(async (exchange) => {
      await gate.promise;
      exchange.send(200);
    });
    const service = serviceOf([remote], { graceSeconds: 3600 });
    await service.open();
    const client = await remote.connect();
    await client.sendHead(...get);
    const { signal } = await remote.exchange();
    const stopped = service.stop();
    await assert.rejects(remote.connect());
    assert.equal(signal.aborted, false);
    gate.resolve(undefined);
    await client.readUntil('HTTP/1.1 200');
    await stopped;
    await client.readUntilClose();
  });

  test('that stops cancels what runs after its grace, and tells the client why', async () => {
    const lines: string[] = [];
    await using remote = new ListenerUnderTest(endless);
    const service = serviceOf([remote], { lines });
    await service.open();
    const client = await remote.connect();
    await client.sendHead(...get);
    await remote.exchange();
    await service.stop();
    assert.match((await client.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 503 [^]*is stopping/);
    assert.ok((await remote.ended()) instanceof UnavailableError);
    assert.deepEqual(lines, [], 'nothing hangs');
  });

  test('answers for monitoring until everything else is closed', async () => {
    await using remote = new ListenerUnderTest(answering);
    await using monitoring = new ListenerUnderTest(answering, { name: 'metrics' });
    const service = serviceOf([remote], { monitoring });
    await service.open();
    await service.stop();
    assert.equal(remote.listener.accepting, false);
    const client = await monitoring.connect();
    await client.sendHead(...get);
    await client.readUntil('HTTP/1.1 200');
    await service.onApplicationShutdown();
    await client.readUntilClose();
    assert.equal(monitoring.listener.accepting, false);
  });

  test('reloads every part, also after one that keeps what it has', () => {
    const { config } = buildConfig('daemon', []);
    const lines: string[] = [];
    const reloaded: unknown[] = [];
    const failing = {
      what: 'the first',
      reload: () => {
        throw new Error('It is no certificate');
      },
    };
    const working = { what: 'the second', reload: (value: unknown) => reloaded.push(value) };
    const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
    new Service({ listeners: [], reloadables: [failing, working], graceSeconds: 0 }, logger).reload(config);
    assert.deepEqual(reloaded, [config]);
    assert.match(
      lines.join(),
      /Cannot reload the first, the old one stays: [^]*no certificate[^]*Reloaded the second/,
    );
  });
});
