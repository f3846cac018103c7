import { once } from 'node:events';
import { createServer, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { CanaryServer, expectThat } from './canary-server.js';
import { StandingHeadersResponse } from '../base/standing-headers.js';
import { Trick } from './trick.js';

/**
 * Node documents that a server makes requests of a class of ours, but not what a constructor that returns
 * another object does.
 */
export const sharingSurplus = new Trick({
  name: 'one object for all requests of closed connections',
  plainWay: 'clients that pipeline requests and leave can make the service hold 4 MiB for each connection',
  canary: async () => {
    const service = createServer({ IncomingMessage: ListenerRequest, ServerResponse: ListenerResponse });
    const requests: IncomingMessage[] = [];
    service.on('request', (request) => {
      requests.push(request);
      request.socket.destroy();
    });
    await using server = await CanaryServer.open(service);
    server.connect().write('GET / HTTP/1.1\r\nHost: canary\r\n\r\n'.repeat(3));
    const [socket] = (await server.during(once(service, 'connection'))) as [Socket];
    await once(socket, 'close');
    expectThat(requests.length === 3, 'a server that destroys a connection gets other requests than it got');
    expectThat(requests.slice(1).every(isSurplus), 'a server makes requests of a closed connection');
  },
});

/**
 * Node's parser makes a request of everything that it received at once, 64 KiB, also when the connection was
 * destroyed in the middle of it, and keeps them all until the end of this turn of the event loop. With
 * requests of 38 bytes on 500 connections that took 1.9 GiB. So all requests of a closed connection are one
 * shared object, which keeps nothing.
 */
class SurplusRequest extends IncomingMessage {
  override push(): boolean {
    return true;
  }

  override destroy(): this {
    return this;
  }
}

class SurplusResponse extends StandingHeadersResponse {
  override on(): this {
    return this;
  }

  override assignSocket(): void {
    // The connection is gone: there is nothing to write to.
  }
}

const surplusRequest = new SurplusRequest(new Socket());
const surplusResponse = new SurplusResponse(surplusRequest);

/** What Node makes of the requests of a listener. */
export class ListenerRequest extends IncomingMessage {
  constructor(socket: Socket) {
    if (socket.destroyed && sharingSurplus.inUse) return surplusRequest;
    super(socket);
  }
}

/** What Node makes for the answers of a listener. */
export class ListenerResponse extends StandingHeadersResponse {
  // Node passes options as a second argument, which its types do not mention.
  constructor(...received: [request: IncomingMessage]) {
    if (isSurplus(received[0])) return surplusResponse;
    super(...received);
  }
}

/** The request came after its connection was destroyed. */
export function isSurplus(request: IncomingMessage): boolean {
  return request === surplusRequest;
}
