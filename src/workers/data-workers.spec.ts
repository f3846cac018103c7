import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { Pki, type Identity } from '../../test/support/pki.js';
import { KiB } from '../base/units.js';
import { takeDescriptor } from '../node-internals/socket-descriptor.js';
import { ClientConnection } from '../wire/client-connection.js';
import type { ServerTls } from '../wire/server-tls.js';
import type { ClientEvents } from '../wire/tls-threads.js';
import { DataWorkers } from './data-workers.js';

const limits = {
  unauthorisedSilenceSeconds: 60,
  unauthorisedLifeSeconds: 60,
  lingerSeconds: 1,
  drainBytes: KiB,
};

let folder: string;
let pki: Pki;
let identity: Identity;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imageio-workers-'));
  pki = await Pki.create(folder);
  identity = await pki.issueHost('daemon');
});
after(() => rm(folder, { recursive: true }));

/** Threads, which end with the test. */
function start(tls: ServerTls) {
  const died = Promise.withResolvers<Error>();
  const deaths: Error[] = [];
  const workers = new DataWorkers({
    count: 2,
    worker: {
      listener: 'remote',
      handshakeSeconds: 5,
      lingerSeconds: 1,
      silenceSeconds: 60,
      bufferPoolBytes: 0,
      bufferBytes: KiB,
      logRecordBytes: KiB,
      logsRequests: false,
    },
    grantsMax: 2,
    writeLines: () => undefined,
    onDownload: () => undefined,
    onDeath: (error) => {
      deaths.push(error);
      died.resolve(error);
    },
  });
  workers.start(tls);
  return { workers, died: died.promise, deaths, [Symbol.asyncDispose]: () => workers.close() };
}

function goodTls(): ServerTls {
  return { key: identity.keyPem, cert: identity.certPem, minVersion: 'TLSv1.2' };
}

/** Gives each connection to a port to the workers. */
async function listen(workers: DataWorkers, events: (socket: Socket) => ClientEvents) {
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const eventsOfIt = events(socket);
    const fd = takeDescriptor(socket);
    workers.lend({ fd, received: Buffer.alloc(0), clientAddress: '192.0.2.1' }, eventsOfIt);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, [Symbol.asyncDispose]: async () => void server.close() };
}

describe('data workers', () => {
  test('that cannot go on are told of, once and with the cause', async () => {
    await using threads = start({ ...goodTls(), key: 'no key' });
    const { workers, died, deaths } = threads;
    const { message, cause } = await died;
    assert.equal(message, 'A data worker failed');
    assert.match(String(cause), /PEM|key|DECODER/i);
    // Its end follows its failure.
    await workers.close();
    assert.equal(deaths.length, 1);
  });

  for (const request of ['POST / HTTP/1.1\r\n\r\n', 'GET /images/a HTTP/1.1\r\nHost: a\r\n\r\n'])
    test(`speak TLS, and pass on what nobody lends an image for: ${request.slice(0, 4)}`, async () => {
      await using threads = start(goodTls());
      const { workers } = threads;
      let asked = 0;
      // Too late: they have begun to run without.
      workers.lender = {
        lend: () => {
          asked += 1;
          return Promise.resolve('not now');
        },
      };
      const passed = Promise.withResolvers<[Socket, string]>();
      await using server = await listen(workers, () => {
        let lent: Socket | undefined;
        return {
          secure: (socket, thread) => {
            lent = socket;
            return ClientConnection.accept(socket, limits, undefined, thread);
          },
          passes: () => {
            assert.ok(lent !== undefined);
            const socket = lent;
            socket.once('data', (bytes) => {
              passed.resolve([socket, bytes.toString()]);
            });
          },
          failed: (reason) => assert.fail(reason),
          closed: () => undefined,
        };
      });
      const client = connect({ port: server.port, ca: pki.caPem, servername: 'localhost' });
      client.write(request);
      const [socket, text] = await passed.promise;
      assert.equal(text, request);
      assert.equal(asked, 0);
      assert.equal(socket.remoteAddress, '192.0.2.1');
      socket.end('the answer');
      const [bytes] = (await once(client, 'data')) as [Buffer];
      assert.equal(bytes.toString(), 'the answer');
      client.destroy();
    });

  test('tell why a handshake has failed, and that the connection is closed', async () => {
    await using threads = start(goodTls());
    const { workers } = threads;
    const failed = Promise.withResolvers<string>();
    const closed = Promise.withResolvers<undefined>();
    await using server = await listen(workers, () => ({
      secure: () => assert.fail('this is no TLS'),
      passes: () => undefined,
      failed: failed.resolve,
      closed: () => {
        closed.resolve(undefined);
      },
    }));
    const client = connectTcp(server.port, '127.0.0.1');
    client.on('error', () => undefined).write('this is no TLS, whatever else it may be');
    assert.match(await failed.promise, /wrong version|packet length/i);
    await closed.promise;
    client.destroy();
  });
});
