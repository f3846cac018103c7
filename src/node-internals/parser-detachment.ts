import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CanaryServer, expectThat } from './canary-server.js';
import { Trick } from './trick.js';

/**
 * Node does not document that its HTTP parser, once it has failed, gets its bytes from a listener that can be
 * removed.
 */
export const detachingParsers = new Trick({
  name: 'detaching the HTTP parser from what it cannot parse',
  plainWay: 'a client that goes on sending may see a reset instead of the answer',
  canary: async () => {
    const service = createServer();
    let failures = 0;
    service.on('clientError', () => (failures += 1));
    await using server = await CanaryServer.open(service);
    const sending = server.connect();
    sending.write(garbage);
    const [, socket] = (await server.during(once(service, 'clientError'))) as [Error, Socket];
    stopParsing(socket);
    sending.write(garbage);
    socket.resume();
    while (socket.bytesRead < 2 * garbage.length && !socket.destroyed) await nextTurn();
    expectThat(!socket.destroyed, 'Node closes the connection');
    expectThat(failures === 1, 'the parser goes on');
  },
});

const garbage = 'garbage\r\n\r\n';

/**
 * Pauses a connection whose bytes cannot be parsed any more. After a `resume` the bytes that arrive are
 * dropped and the parser does not see them.
 */
export function stopParsing(socket: Socket): void {
  if (detachingParsers.inUse) {
    socket.removeAllListeners('data');
    // Because of this listener Node reads through JavaScript. Until then the parser gets its bytes straight
    // from the socket's handle.
    socket.on('data', drop);
  }
  socket.pause();
}

function drop(): void {
  // It came after what cannot be parsed.
}
