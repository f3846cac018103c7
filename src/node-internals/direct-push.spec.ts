import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { MiB } from '../base/units.js';
import { pushDirectly } from './direct-push.js';

/** A request of `lengthBytes` that has arrived at a server, and the client's socket. */
async function withRequest(
  lengthBytes: number,
  work: (request: IncomingMessage, client: Socket) => Promise<void>,
): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    client.write(`PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${lengthBytes}\r\n\r\n`);
    const [request] = (await once(server, 'request')) as [IncomingMessage];
    pushDirectly(request);
    await work(request, client);
  } finally {
    client.destroy();
    server.close();
  }
}

describe('a request whose body is pushed directly', () => {
  test('gives the whole body in order to who pauses after each piece, and then ends', async () => {
    const body = Buffer.alloc(3 * MiB);
    for (let at = 0; at < body.length; at += 1) body[at] = at % 251;
    await withRequest(body.length, async (request, client) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => {
        pieces.push(piece);
        request.pause();
        setImmediate(() => request.resume());
      });
      client.write(body);
      await once(request, 'end');
      assert.ok(Buffer.concat(pieces).equals(body));
      assert.ok(request.complete && request.readableEnded);
    });
  });

  test('does not read on while it is paused', async () => {
    await withRequest(64 * MiB, async (request, client) => {
      const seen = new Promise<void>((resolve) => {
        request.once('data', () => {
          request.pause();
          resolve();
        });
      });
      client.on('error', () => undefined);
      client.write(Buffer.alloc(64 * MiB));
      await seen;
      const before = request.socket.bytesRead;
      await delay(200);
      assert.ok(request.socket.bytesRead - before < MiB, `${request.socket.bytesRead - before} bytes read`);
    });
  });

  test('keeps for later what arrives before anybody listens', async () => {
    await withRequest(4, async (request, client) => {
      client.write('body');
      await delay(50);
      request.setEncoding('utf8');
      assert.equal((await request.toArray()).join(''), 'body');
    });
  });
});
