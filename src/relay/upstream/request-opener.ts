import { ClientRequest, IncomingMessage, type ServerResponse } from 'node:http';
import { Stream } from 'node:stream';
import httpProxy from 'http-proxy';
import type { DaemonAgents } from '../../daemons/daemon-agents.js';
import type { DaemonTarget } from '../../daemons/ticket-url.js';
import type { RelayedHeaders } from './relayed-request.js';

/** The request of a client, and the response that it waits for. */
export interface ClientSide {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * Makes requests to daemons. All that has to do with http-proxy is here.
 *
 * Of http-proxy only the making of the request to the daemon is used. With its own way of moving bodies,
 * clients wait for daemons that have died, early answers are lost, and the rest of one body can be taken for
 * the next request. So `DaemonRequest` and `downloadBody` move the bodies.
 */
export class RequestOpener {
  readonly #proxy = httpProxy.createProxyServer({
    selfHandleResponse: true,
    secure: true,
    // The path as it is: http-proxy would parse it and write it anew.
    toProxy: true,
    prependPath: false,
  });

  constructor(private readonly agents: DaemonAgents) {}

  /**
   * Makes a request to a daemon, with the method of the client's. Nothing of it is sent yet.
   * @param headers all that the daemon gets to see, besides `Host`, `Connection`, and that OPTIONS has no
   * content
   */
  open(client: ClientSide, { origin, path }: DaemonTarget, headers: RelayedHeaders): ClientRequest {
    const { protocol } = origin;
    // Node wants IPv6 addresses as they are, without the brackets of a URL.
    const host = origin.hostname.replace(/^\[|\]$/g, '');
    const port = Number(origin.port || (protocol === 'https:' ? 443 : 80));
    const body = new BodyToCome();
    this.#proxy.web(
      outlineOf(client.request, path),
      client.response,
      { target: { protocol, host, hostname: host, port }, agent: this.agents.of(protocol), buffer: body },
      // Errors are heard of at the request itself.
      () => undefined,
    );
    const { request } = body;
    if (request === undefined) throw new Error('http-proxy made no request');
    for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
    return request;
  }
}

/**
 * What http-proxy gets to see of a client's request: not that itself, whose headers it would send, and which
 * it would listen to.
 */
function outlineOf({ socket, method }: IncomingMessage, path: string): IncomingMessage {
  const outline = new IncomingMessage(socket);
  outline.method = method;
  outline.url = path;
  return outline;
}

/**
 * Given to http-proxy in place of the body. It keeps hold of the request that http-proxy would have it
 * written to.
 */
class BodyToCome extends Stream {
  request: ClientRequest | undefined;

  override pipe<T extends NodeJS.WritableStream>(destination: T): T {
    if (destination instanceof ClientRequest) this.request = destination;
    return destination;
  }
}
