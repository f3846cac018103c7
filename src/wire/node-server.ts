import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { serveHalfOpen } from '../node-internals/half-open.js';
import { ListenerRequest, ListenerResponse } from '../node-internals/surplus-requests.js';
import { tlsServerOptions, type ServerTls } from './server-tls.js';

export interface NodeServerOptions {
  readonly requestHeadBytes: number;
  readonly headersTimeoutSeconds: number;
  readonly handshakeTimeoutSeconds: number;
}

/**
 * Makes the server of Node that a listener has, with everything off that would decide by itself what becomes
 * of a connection.
 * @param tls absent: plain HTTP
 */
export function createNodeServer(options: NodeServerOptions, tls: ServerTls | undefined): Server {
  const serverOptions = {
    IncomingMessage: ListenerRequest,
    ServerResponse: ListenerResponse,
    maxHeaderSize: options.requestHeadBytes,
    headersTimeout: options.headersTimeoutSeconds * 1000,
    // Off, because it would cut every upload that takes longer (Node's default is 300 s). ClientConnection
    // measures how long a client is silent instead.
    requestTimeout: 0,
    keepAliveTimeout: 0,
    connectionsCheckingInterval: 1000,
    // Off, because Node would refuse with an empty body; `headRefusal` checks the header instead.
    requireHostHeader: false,
    insecureHTTPParser: false,
    noDelay: true,
    // A client may close its sending side after the request and still gets the whole answer. Sockets with
    // TLS need a setting of their own, which TlsHandshakes makes.
    allowHalfOpen: true,
  };
  const server =
    tls === undefined
      ? createHttpServer(serverOptions)
      : createHttpsServer({
          ...serverOptions,
          ...tlsServerOptions(tls, options.handshakeTimeoutSeconds),
        });
  // Node would drop headers past the thousandth without a word, a Content-Range among them;
  // `headBeyondBounds` refuses them.
  server.maxHeadersCount = 0;
  serveHalfOpen(server);
  // Without a listener for this event Node destroys a silent socket, even while it is the service that is
  // busy. ClientConnection decides what happens instead.
  server.on('timeout', () => undefined);
  return server;
}
