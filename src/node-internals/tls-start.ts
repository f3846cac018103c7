import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { CanaryServer, expectThat } from './canary-server.js';
import { Trick } from './trick.js';

/** Less than the buffer that Node's TLS begins with. */
const pieceBytesMax = 1023;

/**
 * The beginning of the first message of a client, a record of TLS with a handshake in it: as long as that is
 * not whole TLS waits for the rest. It takes two pieces.
 */
const begunHello = Buffer.alloc(1500);
begunHello.set([22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb]);

/**
 * Node starts TLS in a listener of its own as soon as a connection is accepted, which it does not document.
 */
export const startingTlsLate = new Trick({
  name: 'looking at connections before TLS',
  plainWay:
    'TLS starts as soon as a client connects: a client of plain HTTP is told nothing, and one that ' +
    'leaves before its handshake holds its place until the handshake times out',
  canary: async () => {
    const server = createHttpsServer();
    const startTls = takeTlsStart(server);
    expectThat(startTls !== undefined, 'Node starts TLS in another way than is known');
    await using canary = await CanaryServer.open(server);
    const connected = once(server, 'connection') as Promise<[Socket]>;
    canary.connect().write(begunHello);
    const [socket] = await canary.during(connected);
    while (socket.readableLength < begunHello.length) {
      socket.read(0);
      await canary.during(once(socket, 'readable'));
    }
    const pieces = piecesRead(socket);
    startTls(socket);
    await setImmediate();
    const expected = [pieceBytesMax, begunHello.length - pieceBytesMax];
    expectThat(
      String(pieces) === String(expected),
      'Node takes what came before TLS in another way than is known',
    );
  },
});

/** Records how long what is read of a socket is. */
function piecesRead(socket: Socket): readonly number[] {
  const pieces: number[] = [];
  const read = socket.read.bind(socket);
  const readAndCount = (lengthBytes?: number): unknown => {
    const piece: unknown = read(lengthBytes);
    if (piece instanceof Buffer) pieces.push(piece.length);
    return piece;
  };
  socket.read = readAndCount;
  return pieces;
}

/**
 * Takes Node's own start of TLS away from a server, so that a connection can be looked at before.
 * @returns what starts TLS on a connection, whose TLS socket then comes with `secureConnection`; undefined
 * when TLS starts by itself
 */
export function takeTlsStart(server: Server): ((socket: Socket) => void) | undefined {
  if (!startingTlsLate.inUse) return undefined;
  const [start, ...others] = server.listeners('connection') as ((socket: Socket) => void)[];
  if (start === undefined || others.length > 0) return undefined;
  server.removeListener('connection', start);
  return (socket) => {
    readInPieces(socket);
    start.call(server, socket);
  };
}

/**
 * Has Node's TLS take what was received before it in pieces. It keeps a buffer of 1 KiB for what it receives,
 * and when that is filled to its end, as by the first message of most clients, it gets another one of 16 KiB
 * and keeps both for as long as the connection lasts: 16 MiB for a thousand clients that only listen.
 */
function readInPieces(socket: Socket): void {
  const read = socket.read.bind(socket);
  const readPiece = (lengthBytes?: number): unknown => {
    const { readableLength } = socket;
    if (lengthBytes !== undefined || readableLength === 0) return read(lengthBytes);
    return read(Math.min(readableLength, pieceBytesMax));
  };
  socket.read = readPiece;
}
