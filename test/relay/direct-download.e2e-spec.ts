import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer as createHttpServer, request as startHttpRequest } from 'node:http';
import { createServer as createHttpsServer, request as startHttpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { DaemonAgents } from '../../src/daemons/daemon-agents.js';
import { DirectDownload } from '../../src/node-internals/direct-download.js';
import { KiB, MiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { ScriptedDaemon, type Script, type SeenRequest } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();
const image = randomBytes(5 * MiB + 3);
const small = Buffer.from('small');

const sendsImage: Script = ({ response }) => {
  response.writeHead(200, { 'Content-Length': image.length }).end(image);
};

describe('a large answer of a daemon', () => {
  async function relayed(
    script: Script,
    check: (relay: RelayUnderTest, path: string, daemon: ScriptedDaemon) => Promise<void>,
  ): Promise<void> {
    await using daemon = await ScriptedDaemon.start(identity, script);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    await check(relay, imagePath(id), daemon);
  }

  test('leaves its connection to the next request', async () => {
    const lengths = [image.length, small.length, image.length, 0, image.length];
    const answers = [...lengths];
    const script: Script = ({ response }) => {
      const lengthBytes = answers.shift() ?? 0;
      response.writeHead(200, { 'Content-Length': lengthBytes }).end(image.subarray(0, lengthBytes));
    };
    await relayed(script, async (relay, path, daemon) => {
      for (const lengthBytes of lengths) {
        const { body } = await relay.client().request('GET', path);
        assert.ok(body.equals(image.subarray(0, lengthBytes)), `${body.length} of ${lengthBytes}`);
      }
      assert.equal(daemon.connectionCount, 1);
    });
  });

  test('to HEAD, which has no body, leaves its connection to the next request', async () => {
    await relayed(sendsImage, async (relay, path, daemon) => {
      const head = await relay.client().request('HEAD', path);
      assert.deepEqual([head.headers['content-length'], head.body.length], [String(image.length), 0]);
      assert.ok((await relay.client().request('GET', path)).body.equals(image));
      assert.equal(daemon.connectionCount, 1);
    });
  });

  test('is whole when the daemon closes its connection after it', async () => {
    const script: Script = (seen) => {
      seen.response.setHeader('Connection', 'close');
      sendsImage(seen);
    };
    await relayed(script, async (relay, path, daemon) => {
      for (let count = 0; count < 2; count++)
        assert.ok((await relay.client().request('GET', path)).body.equals(image));
      assert.equal(daemon.connectionCount, 2);
    });
  });

  test('is whole when its length is not known', async () => {
    const script: Script = ({ response }) => response.writeHead(200).end(image);
    await relayed(script, async (relay, path) => {
      const { headers, body } = await relay.client().request('GET', path);
      assert.equal(headers['content-length'], undefined);
      assert.ok(body.equals(image));
    });
  });

  test('is whole for a client that reads slowly', async () => {
    await relayed(sendsImage, async (relay, path) => {
      const response = await relay.client().open('GET', path);
      const parts: Buffer[] = [];
      let sinceRest = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        parts.push(chunk);
        sinceRest += chunk.length;
        if (sinceRest < 512 * KiB) continue;
        sinceRest = 0;
        await delay(20);
      }
      assert.ok(Buffer.concat(parts).equals(image));
    });
  });

  test('is whole from a daemon that sends it piece by piece', async () => {
    async function send({ response }: SeenRequest): Promise<void> {
      response.writeHead(200, { 'Content-Length': image.length });
      let lengthBytes = 1;
      for (let offset = 0; offset < image.length; offset += lengthBytes) {
        // From single bytes to a few hundred KiB, with rests between.
        lengthBytes = (lengthBytes * 7 + 1) % (300 * KiB);
        response.write(image.subarray(offset, offset + lengthBytes));
        if (lengthBytes % 3 === 0) await delay(2);
        else await nextTurn();
      }
      response.end();
    }
    await relayed(
      (seen) => void send(seen),
      async (relay, path) => {
        for (let count = 0; count < 2; count++)
          assert.ok((await relay.client().request('GET', path)).body.equals(image));
      },
    );
  });

  test('is all that is sent when the daemon goes on after it; the connection is not reused', async () => {
    let script: Script = ({ request }) => {
      request.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${image.length}\r\n\r\n`);
      request.socket.write(
        Buffer.concat([image, Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')]),
      );
    };
    await relayed(
      (seen) => {
        script(seen);
      },
      async (relay, path, daemon) => {
        assert.ok((await relay.client().request('GET', path)).body.equals(image));
        script = ({ response }) => response.end(small);
        assert.ok((await relay.client().request('GET', path)).body.equals(small));
        assert.equal(daemon.connectionCount, 2);
      },
    );
  });

  test('that breaks off is visibly not whole', async () => {
    const received = Promise.withResolvers<undefined>();
    const script: Script = ({ request, response }) => {
      response.writeHead(200, { 'Content-Length': image.length + 1 });
      response.write(image);
      void received.promise.then(() => {
        request.socket.destroySoon();
      });
    };
    await relayed(script, async (relay, path) => {
      const response = await relay.client().open('GET', path);
      let receivedBytes = 0;
      response.on('data', (chunk: Buffer) => {
        receivedBytes += chunk.length;
        if (receivedBytes === image.length) received.resolve(undefined);
      });
      const [error] = (await once(response, 'error')) as [NodeJS.ErrnoException];
      assert.equal(error.code, 'ECONNRESET');
      assert.equal(receivedBytes, image.length);
    });
  });

  test('that breaks off while it is on its way to the client is so too', async () => {
    const script: Script = ({ request, response }) => {
      response.writeHead(200, { 'Content-Length': image.length + 1 });
      response.write(image, () => {
        request.socket.destroySoon();
      });
    };
    await relayed(script, async (relay, path) => {
      const response = await relay.client().open('GET', path);
      const parts: Buffer[] = [];
      response.on('data', (chunk: Buffer) => parts.push(chunk));
      const [error] = (await once(response, 'error')) as [NodeJS.ErrnoException];
      assert.equal(error.code, 'ECONNRESET');
      // A connection that is reset loses what a slow client has not had yet; what it has had is right.
      const seen = Buffer.concat(parts);
      assert.ok(seen.equals(image.subarray(0, seen.length)));
    });
  });
});

describe('receiving straight into memory', () => {
  let daemon: ScriptedDaemon;
  let agents: DaemonAgents;

  before(async () => {
    daemon = await ScriptedDaemon.start(identity, sendsImage);
    agents = new DaemonAgents({ caPem: pki.caPem });
  });

  after(async () => {
    agents.close();
    await daemon[Symbol.asyncDispose]();
  });

  async function open(protocol: 'https:' | 'http:' = 'https:', port = daemon.port): Promise<IncomingMessage> {
    const start = protocol === 'https:' ? startHttpsRequest : startHttpRequest;
    const request = start({ host: 'localhost', port, agent: agents.of(protocol) });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  }

  async function download(source: IncomingMessage): Promise<{ body: Buffer; directBytes: number }> {
    const body = Buffer.alloc(image.length);
    let position = 0;
    let directBytes = 0;
    const direct = DirectDownload.of(source, {
      // The last read goes through the parser, so it must not be all there is.
      target: () => body.subarray(position, position + 256 * KiB),
      filled: (lengthBytes) => {
        position += lengthBytes;
        directBytes += lengthBytes;
      },
    });
    assert.ok(direct !== undefined);
    source.on('data', (chunk: Buffer) => {
      chunk.copy(body, position);
      position += chunk.length;
    });
    await once(source, 'end');
    return { body, directBytes };
  }

  test('spares nearly all of an answer the parser', async () => {
    const { body, directBytes } = await download(await open());
    assert.ok(body.equals(image));
    assert.ok(directBytes > image.length * 0.9, `${directBytes} of ${image.length} bytes`);
  });

  for (const [what, protocol, listen] of [
    [
      'over TLS 1.2',
      'https:',
      (answer: RequestListener) =>
        createHttpsServer({ cert: identity.certPem, key: identity.keyPem, maxVersion: 'TLSv1.2' }, answer),
    ],
    ['without TLS', 'http:', (answer: RequestListener) => createHttpServer(answer)],
  ] as const) {
    test(`leaves the connection to the next answer ${what}`, async () => {
      let connections = 0;
      const server = listen((_request, response) => {
        response.writeHead(200, { 'Content-Length': image.length }).end(image);
      });
      server.on('connection', () => (connections += 1)).listen(0, 'localhost');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      try {
        for (let count = 0; count < 3; count++) {
          const { body, directBytes } = await download(await open(protocol, port));
          assert.ok(body.equals(image));
          assert.ok(directBytes > image.length * 0.5, `${directBytes} of ${image.length} bytes`);
        }
        assert.equal(connections, 1);
      } finally {
        server.close();
        server.closeAllConnections();
      }
    });
  }

  test('waits for what came before through the parser', async () => {
    const source = await open();
    const parts: Buffer[] = [];
    const memory = Buffer.alloc(64 * KiB);
    DirectDownload.of(source, {
      target: () => memory,
      filled: (lengthBytes) => parts.push(Buffer.from(memory.subarray(0, lengthBytes))),
    });
    // Nobody listens yet, so the answer keeps what arrives.
    await delay(50);
    assert.ok(source.readableLength > 0);
    source.on('data', (chunk: Buffer) => parts.push(Buffer.from(chunk)));
    await once(source, 'end');
    assert.ok(Buffer.concat(parts).equals(image));
  });

  test('can be given up at any time', async () => {
    const source = await open();
    const parts: Buffer[] = [];
    const memory = Buffer.alloc(64 * KiB);
    const direct = DirectDownload.of(source, {
      target: () => memory,
      filled: (lengthBytes) => {
        parts.push(Buffer.from(memory.subarray(0, lengthBytes)));
        direct?.stop();
        source.destroy();
      },
    });
    source.on('data', (chunk: Buffer) => parts.push(Buffer.from(chunk)));
    source.on('error', () => undefined);
    await once(source, 'close');
    const received = Buffer.concat(parts);
    assert.ok(received.length > 0 && image.subarray(0, received.length).equals(received));
  });
});
