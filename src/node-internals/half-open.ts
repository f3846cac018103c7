import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { CanaryServer, expectThat, received } from './canary-server.js';
import { Trick } from './trick.js';

/**
 * Node documents `allowHalfOpen` of sockets, but not the property by which its HTTP server lets a socket be
 * half-open.
 */
export const servingHalfOpen = new Trick({
  name: 'answering clients that have closed their sending side',
  plainWay: 'such a client gets no answer',
  canary: async () => {
    const service = createServer();
    serveHalfOpen(service);
    await using server = await CanaryServer.open(service);
    const socket = server.connect();
    const answer = received(socket);
    socket.end('GET / HTTP/1.1\r\nHost: canary\r\n\r\n');
    const [request, response] = (await server.during(once(service, 'request'))) as [unknown, ServerResponse];
    expectThat(request !== undefined, 'there is no request');
    // Answers only after the end was read, as happens when an answer waits for storage.
    if (response.socket?.readableEnded === false) await server.during(once(response.socket, 'end'));
    response.end('late answer');
    expectThat(String(await server.during(answer)).includes('late answer'), 'the answer does not arrive');
  },
});

/**
 * Lets clients of a server send a request, close their side and still have the whole answer, as RFC 9112
 * section 9.6 has it. Node would close the other side as well, in the middle of the answer. The server must
 * have been made with `allowHalfOpen`.
 */
export function serveHalfOpen(server: Server): void {
  if (servingHalfOpen.inUse) (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
}
