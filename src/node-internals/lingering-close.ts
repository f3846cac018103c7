import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { KiB } from '../base/units.js';
import { CanaryServer, expectThat } from './canary-server.js';
import { Trick } from './trick.js';

/**
 * Node documents neither that it ends a connection by `destroySoon`, nor which requests it reads to their end
 * by itself.
 */
export const closingOurWay = new Trick({
  name: 'lingering closes',
  plainWay: 'a client that is refused in the middle of its upload may see a reset instead of the answer',
  canary: async () => {
    const service = createServer();
    await using server = await CanaryServer.open(service);
    const socket = server.connect();
    socket.write(`PUT / HTTP/1.1\r\nHost: canary\r\nContent-Length: ${KiB}\r\n\r\nbegun`);
    const [request, response] = (await server.during(once(service, 'request'))) as [
      IncomingMessage,
      ServerResponse,
    ];
    const closing = Promise.withResolvers<undefined>();
    consumeOurselves(request);
    replaceClose(request.socket, () => {
      closing.resolve(undefined);
    });
    response.setHeader('Connection', 'close').end();
    await server.during(Promise.race([closing.promise, once(request.socket, 'close')]));
    expectThat(!request.socket.destroyed, 'Node closes the connection by itself');
  },
});

/**
 * Calls `close` at the moment when Node would destroy a connection, which is when its last answer has been
 * handed over.
 */
export function replaceClose(socket: Socket, close: () => void): void {
  if (closingOurWay.inUse) socket.destroySoon = close;
}

/**
 * Marks the body of a request as somebody's who reads it: else Node "dumps" it when the answer ends, reading
 * all that the client sends without any bound. It flows from now on.
 */
export function consumeOurselves(request: IncomingMessage): void {
  request.read(0);
  request.resume();
}
