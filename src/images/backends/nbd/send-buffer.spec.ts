import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { KiB, MiB } from '../../../base/units.js';
import { enlargeSendBuffer } from './send-buffer.js';

test('a unix socket takes more without its peer reading than it usually does', async (t) => {
  const path = `\0imageio-send-buffer-${randomUUID()}`;
  const accepted: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => accepted.push(socket)).listen(path);
  await once(server, 'listening');
  t.after(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });

  async function takenBytes(prepare: (socket: Socket) => void): Promise<number> {
    const socket = connect(path);
    await once(socket, 'connect');
    prepare(socket);
    // What the kernel did not take at once is left to Node.
    for (let piece = 0; piece < 2 * MiB; piece += 64 * KiB) socket.write(Buffer.alloc(64 * KiB));
    const taken = socket.bytesWritten - socket.writableLength;
    socket.destroy();
    return taken;
  }

  const usual = await takenBytes(() => undefined);
  const enlarged = await takenBytes(enlargeSendBuffer);
  assert.ok(enlarged > usual, `${enlarged} bytes, and ${usual} usually`);
});
