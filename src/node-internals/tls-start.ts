import type { Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { expectThat } from './canary-server.js';
import { Trick } from './trick.js';

/**
 * Node starts TLS in a listener of its own as soon as a connection is accepted, which it does not document.
 */
export const startingTlsLate = new Trick({
  name: 'looking at connections before TLS',
  plainWay:
    'TLS starts as soon as a client connects: a client of plain HTTP is told nothing, and one that ' +
    'leaves before its handshake holds its place until the handshake times out',
  canary: () => {
    const server = createHttpsServer();
    expectThat(takeTlsStart(server) !== undefined, 'Node starts TLS in another way than is known');
  },
});

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

/** Less than the buffer that Node's TLS begins with. */
const pieceBytesMax = 1023;

/**
 * Has Node's TLS take what was received before it in pieces. It keeps a buffer of 1 KiB for what it receives,
 * and when that is filled to its end, as by the first message of most clients, it gets another one of 16 KiB
 * and keeps both for as long as the connection lasts: 16 MiB for a thousand clients that only listen.
 */
function readInPieces(socket: Socket): void {
  const read = socket.read.bind(socket);
  socket.read = (lengthBytes?: number): unknown => {
    const { readableLength } = socket;
    if (lengthBytes !== undefined || readableLength === 0) return read(lengthBytes);
    return read(Math.min(readableLength, pieceBytesMax));
  };
}
