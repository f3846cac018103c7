import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { eventually } from '../../test/support/deadline.js';
import { closeByReset, isPeerGone, unacknowledgedBytes } from './socket-descriptor.js';
import { MiB } from '../base/units.js';

/** Both ends of a connection, over TCP unless `path` is given; nobody reads from the accepted one. */
async function connected(t: TestContext, path?: string): Promise<{ socket: Socket; accepted: Socket }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(path ?? { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const socket = connect({
    allowHalfOpen: true,
    ...(path === undefined ? { port: (server.address() as AddressInfo).port } : { path }),
  });
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
    [Socket],
    [],
  ];
  t.after(() => {
    for (const end of [socket, accepted]) end.destroy();
    server.close();
  });
  return { socket, accepted };
}

test('a socket tells how much its peer has not taken, while it is open', async (t) => {
  const { socket, accepted } = await connected(t);
  assert.equal(unacknowledgedBytes(socket), 0);
  socket.write(Buffer.alloc(16 * MiB));
  const stuckBytes = unacknowledgedBytes(socket);
  assert.ok(stuckBytes !== undefined && stuckBytes > 0);
  accepted.resume();
  await once(socket, 'drain');
  socket.destroy();
  assert.equal(unacknowledgedBytes(socket), undefined);
});

test('a socket that is to be closed by a reset shows its peer that it is gone', async (t) => {
  const { socket, accepted } = await connected(t);
  const failed = once(accepted, 'error') as Promise<[NodeJS.ErrnoException]>;
  accepted.resume();
  closeByReset(socket);
  socket.destroy();
  assert.equal((await failed)[0].code, 'ECONNRESET');
});

for (const [kind, path] of [
  ['TCP', undefined],
  ['unix', `\0imageio-peer-${randomUUID()}`],
] as const) {
  test(`a ${kind} socket tells a peer that has closed one direction from one that has gone`, async (t) => {
    const { socket, accepted } = await connected(t, path);
    accepted.resume();
    socket.end();
    await once(accepted, 'end');
    assert.equal(isPeerGone(accepted), false);
    socket.destroy();
    accepted.write('is there anybody?');
    await eventually(() => isPeerGone(accepted) || undefined, 'it is noticed');
  });
}
