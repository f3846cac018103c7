import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/deadline.js';
import { RawSocket } from '../support/raw-socket.js';
import { describeWire, type Wire } from './wire-under-test.js';

// Each has its own listener.
const routes = [
  'straight to the daemon',
  'over the local socket',
  'through the proxy with a session',
] as const;

const connectionsMax = 16;

describeWire(
  'connections at the limit',
  { configuration: { limits: { connections: connectionsMax } }, routes },
  (wire) => {
    test('without a ticket make room for newer ones, the oldest first', async () => {
      const first = await wire.connect();
      const sockets: RawSocket[] = [];
      for (let count = 0; count < connectionsMax; count++) sockets.push(await wire.connect());
      await first.readUntilClose();
      assert.equal(sockets.at(-1)?.closed, false);
      assert.equal((await wire.client().request('GET', '/info/')).status, 200);
      for (const socket of sockets) socket.close();
    });

    test('with a ticket stay', async () => {
      const image = await wire.addImage(Buffer.from('DATA'));
      const socket = await wire.connect();
      await read(wire, socket, image.path, 1);
      for (let count = 0; count < 3 * connectionsMax; count++) (await wire.connect()).pause();
      await read(wire, socket, image.path, 2);
      socket.close();
    });

    test('with a ticket keep all others out, until one of them goes', async () => {
      const image = await wire.addImage(Buffer.from('DATA'));
      const sockets: RawSocket[] = [];
      for (let count = 0; count < connectionsMax; count++) {
        const socket = await wire.connect();
        await read(wire, socket, image.path, 1);
        sockets.push(socket);
      }
      const beyond = wire.connect().then((socket) => socket.readUntilClose());
      // In the handshake already, where there is one.
      assert.equal((await beyond.catch(() => Buffer.alloc(0))).length, 0);
      await eventually(
        () => wire.service.log.find(({ msg }) => String(msg).startsWith('Connection refused')),
        'the log tells of it',
      );
      for (const socket of sockets) await read(wire, socket, image.path, 2);
      sockets.pop()?.close();
      const answer = await eventually(
        () =>
          wire
            .client()
            .request('GET', image.path)
            .catch(() => undefined),
        'a new connection is taken',
      );
      assert.equal(answer.text, 'DATA');
      for (const socket of sockets) socket.close();
    });

    test('of one address leave those of others alone', { skip: isLocal(wire) }, async () => {
      const options = { localAddress: '127.0.0.2' } as object;
      const other = await eventually(
        () => wire.connect(options).catch(() => undefined),
        'those of the test before are gone',
      );
      for (let count = 0; count < 3 * connectionsMax; count++) (await wire.connect()).pause();
      await other.send(wire.request('GET', '/info/'));
      await other.readUntil('HTTP/1.1 200');
      other.close();
    });
  },
);

const shared = { limits: { unauthorised_connections_per_address: 4 } };

describeWire(
  'connections of one address',
  { configuration: shared, routes: [routes[0], routes[2]] },
  (wire) => {
    test('without a ticket make room for newer ones, those with one do not count', async () => {
      const image = await wire.addImage(Buffer.from('DATA'));
      const authorised: RawSocket[] = [];
      for (let count = 0; count < 6; count++) {
        const socket = await wire.connect();
        await read(wire, socket, image.path, 1);
        authorised.push(socket);
      }
      const strangers: RawSocket[] = [];
      for (let count = 0; count < 5; count++) strangers.push(await wire.connect());
      await strangers[0]!.readUntilClose();
      for (const socket of strangers.slice(1)) {
        await socket.send(wire.request('GET', '/info/'));
        await socket.readUntil('HTTP/1.1 200');
      }
      for (const socket of authorised) await read(wire, socket, image.path, 2);
    });
  },
);

const short = { limits: { unauthorised_life_sec: 2 } };

describeWire('the life of a connection', { configuration: short, routes, concurrency: true }, (wire) => {
  for (const [what, send] of [
    ['it asks again and again', wire.request('GET', '/info/')],
    ['it pipelines requests', wire.request('GET', '/info/').repeat(5)],
    ['it is refused each time', wire.request('GET', '/none')],
  ] as const) {
    test(`without a ticket ends though ${what}`, async () => {
      const socket = await wire.connect();
      await untilClosed(socket, send);
    });
  }

  test('without a ticket ends though it sends a body byte by byte', async () => {
    const socket = await RawSocket.connect(wire.service.address('control'));
    await socket.send('PUT /tickets/x HTTP/1.1\r\nContent-Length: 1000\r\n\r\n');
    await untilClosed(socket, 'x');
    assert.match(socket.received.toString('latin1'), /^HTTP\/1\.1 408 /);
  });

  test('with a ticket goes on', async () => {
    const image = await wire.addImage(Buffer.from('DATA'));
    const socket = await wire.connect();
    const other = await wire.connect();
    await read(wire, socket, image.path, 1);
    // It began later, and has had its time.
    await other.readUntilClose();
    await read(wire, socket, image.path, 2);
    socket.close();
  });
});

/** Sends the same again and again. */
async function untilClosed(socket: RawSocket, bytes: string): Promise<void> {
  await eventually(
    async () => {
      await socket.send(bytes).catch(() => undefined);
      return socket.closed || socket.error !== undefined || undefined;
    },
    'the connection is closed',
    { intervalMs: 50 },
  );
}

/** Reads the image on an open connection. */
async function read(wire: Wire, socket: RawSocket, path: string, times: number): Promise<void> {
  await socket.send(wire.request('GET', path));
  const length = (): number => socket.received.toString('latin1').split('DATA').length - 1;
  await eventually(() => {
    if (socket.closed) throw new Error(`closed after ${length()} answers`);
    return length() === times || undefined;
  }, `answer ${times}`);
}

function isLocal(wire: Wire): string | false {
  return wire.route === 'over the local socket' ? 'clients of this host have no address' : false;
}
