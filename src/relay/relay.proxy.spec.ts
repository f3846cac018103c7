import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { ListenerUnderTest } from '../../test/support/listener-under-test.js';
import { PlainDaemon, type DaemonScript } from '../../test/support/plain-daemon.js';
import {
  BadGatewayError,
  ClientGoneError,
  GatewayTimeoutError,
  InvalidRequestError,
} from '../base/errors.js';
import { MiB } from '../base/units.js';
import { DaemonAgents } from '../daemons/daemon-agents.js';
import { RelayBufferPool } from './buffers/relay-buffer-pool.js';
import type { DaemonTimeouts } from '../daemons/daemon-timeouts.js';
import { EventStreams } from '../wire/event-stream.js';
import { RelayProxy, type RelayOptions } from './relay.proxy.js';

const timeouts = { connectTimeoutSeconds: 60, readTimeoutSeconds: 60, operationTimeoutSeconds: 60 };
const bufferLimits = { totalBytes: 16 * MiB, perTicketBytes: 8 * MiB, waitSeconds: 60, stallSeconds: 60 };
const get = ['GET / HTTP/1.1', 'Host: localhost'];

/** A listener that relays all it gets to a daemon that does what `script` says. */
class ProxyUnderTest implements AsyncDisposable {
  private constructor(
    readonly daemon: PlainDaemon,
    readonly service: ListenerUnderTest,
    private readonly agents: DaemonAgents,
  ) {}

  static async start(
    script: DaemonScript,
    { limits, ...options }: Partial<RelayOptions> & { readonly limits?: Partial<DaemonTimeouts> } = {},
  ): Promise<ProxyUnderTest> {
    const daemon = await PlainDaemon.start(script);
    const agents = new DaemonAgents({ caPem: undefined });
    const buffers = new RelayBufferPool(bufferLimits);
    const proxy = new RelayProxy(
      agents,
      buffers,
      { ...timeouts, ...limits },
      new EventStreams({ streamsMax: 1 }),
    );
    const service = await ListenerUnderTest.open((exchange) =>
      proxy.relay(
        exchange,
        { origin: daemon.origin, path: '/images/x' },
        { imagePath: '/images/x', ...options },
      ),
    );
    return new ProxyUnderTest(daemon, service, agents);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
    this.agents.close();
    await this.daemon[Symbol.asyncDispose]();
  }
}

describe('a relay', () => {
  test('passes every byte of both bodies, and tells who observes', async () => {
    const up = randomBytes(300_001);
    const down = randomBytes(700_001);
    const seen: Buffer[] = [];
    const counts = { sent: 0, received: 0, answered: 0 };
    await using proxy = await ProxyUnderTest.start(
      (request, response) => {
        request.on('data', (chunk: Buffer) => seen.push(Buffer.from(chunk)));
        request.once('end', () => response.writeHead(200, { 'Content-Length': down.length }).end(down));
      },
      {
        observer: {
          sent: ({ length }) => (counts.sent += length),
          received: (lengthBytes) => (counts.received += lengthBytes),
          answered: () => (counts.answered += 1),
        },
      },
    );
    const client = await proxy.service.connect();
    await client.sendHead('PUT / HTTP/1.1', 'Host: localhost', `Content-Length: ${up.length}`);
    await client.send(up);
    const end = (await client.readUntil('\r\n\r\n')).indexOf('\r\n\r\n') + 4;
    assert.ok((await client.readAtLeast(end + down.length)).subarray(end).equals(down));
    assert.equal(await proxy.service.ended(), undefined);
    assert.ok(Buffer.concat(seen).equals(up));
    assert.deepEqual(counts, { sent: up.length, received: down.length, answered: 1 });
  });

  test('uses its connection to the daemon again after a request that is complete', async () => {
    await using proxy = await ProxyUnderTest.start((_request, response) => response.end('yes'));
    const client = await proxy.service.connect();
    for (const number of [1, 2]) {
      await client.sendHead(...get);
      assert.equal(await proxy.service.ended(number), undefined);
    }
    assert.deepEqual([proxy.daemon.requestCount, proxy.daemon.connectionCount], [2, 1]);
  });

  test('asks once more when the daemon has closed a kept connection', async () => {
    await using proxy = await ProxyUnderTest.start((request, response) => {
      if (proxy.daemon.requestCount === 2) request.socket.destroy();
      else response.end('yes');
    });
    const client = await proxy.service.connect();
    for (const number of [1, 2]) {
      await client.sendHead(...get);
      assert.equal(await proxy.service.ended(number), undefined);
    }
    assert.deepEqual([proxy.daemon.requestCount, proxy.daemon.connectionCount], [3, 2]);
  });

  test('does not ask again on a new connection, nor for what may not be repeated', async () => {
    await using proxy = await ProxyUnderTest.start((request, response) => {
      if (proxy.daemon.requestCount === 1) response.end('yes');
      else request.socket.destroy();
    });
    const client = await proxy.service.connect();
    await client.sendHead(...get);
    assert.equal(await proxy.service.ended(1), undefined);
    await client.sendHead('PATCH / HTTP/1.1', 'Host: localhost', 'Content-Length: 0');
    assert.ok((await proxy.service.ended(2)) instanceof BadGatewayError);
    await client.sendHead(...get);
    assert.ok((await proxy.service.ended(3)) instanceof BadGatewayError);
    assert.equal(proxy.daemon.requestCount, 3);
  });

  test('passes an early answer on, and uses neither connection again', async () => {
    await using proxy = await ProxyUnderTest.start((_request, response) => response.writeHead(409).end('no'));
    const client = await proxy.service.connect();
    await client.sendHead('PUT / HTTP/1.1', 'Host: localhost', `Content-Length: ${MiB}`);
    assert.match((await client.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 409 [^]*Connection: close/);
    await proxy.daemon.cut();
  });

  test('asks the client for its body only when the daemon does', async () => {
    await using proxy = await ProxyUnderTest.start((request, response) => {
      response.writeContinue();
      request.resume().once('end', () => response.end('yes'));
    });
    const client = await proxy.service.connect();
    await client.sendHead('PUT / HTTP/1.1', 'Host: localhost', 'Content-Length: 2', 'Expect: 100-continue');
    await client.readUntil('HTTP/1.1 100');
    await client.send('ab');
    await client.readUntil('HTTP/1.1 200');
  });
});

describe('a relay that fails', () => {
  test('tells the client of a daemon that breaks off before its answer, and cuts after it', async () => {
    await using proxy = await ProxyUnderTest.start((request, response) => {
      if (proxy.daemon.requestCount === 1) request.socket.destroy();
      else response.writeHead(200, { 'Content-Length': 10 }).write('01234', () => request.socket.destroy());
    });
    const client = await proxy.service.connect();
    await client.sendHead(...get);
    await client.readUntil('HTTP/1.1 502');
    assert.ok((await proxy.service.ended(1)) instanceof BadGatewayError);
    await client.sendHead(...get);
    assert.ok(!(await client.readUntilClose()).toString('latin1').endsWith('56789'));
    assert.ok((await proxy.service.ended(2)) instanceof BadGatewayError);
  });

  test('tells the client of a daemon that is silent for too long, and cuts that', async () => {
    await using proxy = await ProxyUnderTest.start(() => undefined, { limits: { readTimeoutSeconds: 0.1 } });
    const client = await proxy.service.connect();
    await client.sendHead(...get);
    await client.readUntil('HTTP/1.1 504');
    assert.ok((await proxy.service.ended()) instanceof GatewayTimeoutError);
    await proxy.daemon.cut();
  });

  for (const [state, script] of [
    ['before an answer', () => undefined],
    [
      'in the middle of one',
      (_request, response) => response.writeHead(200, { 'Content-Length': 10 }).write('0'),
    ],
  ] as const satisfies readonly (readonly [string, DaemonScript])[]) {
    test(`cuts the request to the daemon when its client goes ${state}`, async () => {
      await using proxy = await ProxyUnderTest.start(script);
      const client = await proxy.service.connect();
      await client.sendHead(...get);
      await proxy.daemon.request();
      if (state !== 'before an answer') await client.readUntil('\r\n\r\n0');
      client.reset();
      assert.ok((await proxy.service.ended()) instanceof ClientGoneError);
      await proxy.daemon.cut();
    });
  }

  test('tells a client that breaks off its body so, and the daemon gets no end of it', async () => {
    let isWhole = false;
    await using proxy = await ProxyUnderTest.start((request) => {
      request.resume().once('end', () => (isWhole = request.complete));
    });
    const client = await proxy.service.connect();
    await client.sendHead('PUT / HTTP/1.1', 'Host: localhost', 'Content-Length: 5');
    await client.send('123');
    await proxy.daemon.request();
    client.halfClose();
    await client.readUntil('HTTP/1.1 400');
    assert.ok((await proxy.service.ended()) instanceof InvalidRequestError);
    await proxy.daemon.cut();
    assert.equal(isWhole, false);
  });
});
