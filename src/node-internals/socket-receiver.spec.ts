import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:net';
import { KiB, MiB } from '../base/units.js';
import { CanaryServer } from './canary-server.js';
import { receivingIntoOurs, SocketReceiver, type ByteTaker } from './socket-receiver.js';

const sent = Buffer.alloc(4 * MiB, 'what is sent');

/** What arrives of what is sent, through `data` and into the memory of a taker. */
async function receive(): Promise<{ all: Buffer; emittedCount: number; takenCount: number }> {
  const service = createServer((socket) => socket.end(sent));
  await using server = await CanaryServer.open(service);
  const socket: Socket = server.connect((options) =>
    SocketReceiver.connect(options, (receiving) => connect(receiving)),
  );
  const pieces: Buffer[] = [];
  let emittedCount = 0;
  let takenCount = 0;
  const memory = Buffer.alloc(300 * KiB);
  const taker: ByteTaker = {
    // Every second read is for the parser.
    target: () => (emittedCount < takenCount ? undefined : memory),
    take: (bytes, inTarget) => {
      if (!inTarget) return false;
      takenCount += 1;
      pieces.push(Buffer.from(bytes));
      return true;
    },
  };
  const receiver = SocketReceiver.of(socket);
  if (receiver !== undefined) receiver.taker = taker;
  socket.on('data', (bytes: Buffer) => {
    emittedCount += 1;
    pieces.push(Buffer.from(bytes));
  });
  await once(socket, 'end');
  return { all: Buffer.concat(pieces), emittedCount, takenCount };
}

test('a connection receives into the memory that it is given, and gives out the rest', async () => {
  const { all, emittedCount, takenCount } = await receive();
  assert.ok(emittedCount > 0 && takenCount > 0);
  assert.ok(all.equals(sent));
});

test('a connection that is paused receives nothing', async () => {
  const service = createServer((socket) => socket.end(sent));
  await using server = await CanaryServer.open(service);
  const socket: Socket = server.connect((options) =>
    SocketReceiver.connect(options, (receiving) => connect(receiving)),
  );
  let receivedBytes = 0;
  socket.on('data', (bytes: Buffer) => {
    receivedBytes += bytes.length;
    socket.pause();
    setImmediate(() => {
      assert.equal(socket.bytesRead, receivedBytes);
      socket.resume();
    });
  });
  await once(socket, 'end');
  assert.equal(receivedBytes, sent.length);
});

test('without it a connection gives out all that it receives', async () => {
  receivingIntoOurs.turnOff('test');
  const { all, takenCount } = await receive();
  assert.equal(takenCount, 0);
  assert.ok(all.equals(sent));
});
