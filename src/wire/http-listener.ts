import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, statSync } from 'node:fs';
import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { systemClock } from '../base/clock.js';
import { UnavailableError } from '../base/errors.js';
import { framingRefusal } from './headers/body-coding.js';
import { ClientConnection } from './client-connection.js';
import { clientAddressOf } from './client-network.js';
import { Exchange } from './exchange.js';
import { answerPlainHttp, answerUnparsable } from './unparsable.js';
import type { Logger } from '../log/logger.js';
import { headRefusal } from './head-check.js';
import { ListenerConnections, type ListenerConnectionsLimits } from './listener-connections.js';
import { createNodeServer } from './node-server.js';
import { secureContextOf, type ServerTls } from './server-tls.js';
import type { TlsThreads } from './tls-threads.js';
import { RequestReports, type RequestReportOptions } from './request-reports.js';
import { StrangerRecords } from './stranger-records.js';
import { describeInherited, type InheritedSocket } from './inherited-sockets.js';
import { isSurplus } from '../node-internals/surplus-requests.js';
import {
  AbstractNameTakenError,
  listenOnUnixSocket,
  type BoundUnixSocket,
  type UnixAddress,
} from './unix-socket.js';

/** S_IWOTH of inode(7): who may write to a socket file may connect. */
const writableByOthers = 0o002;

/** What answers requests: the router of a Nest application. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface TcpAddress {
  readonly kind: 'tcp';
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface HttpListenerOptions extends RequestReportOptions {
  readonly handler: RequestHandler;
  /**
   * The `Allow` header of a 405 to an unknown method. A function, because the application may learn its
   * routes only after the listener is made.
   */
  readonly allowedMethods: () => readonly string[];
  readonly listen: TcpAddress | UnixAddress;
  /** A socket that listens already takes the place of `listen`. */
  readonly inherited?: InheritedSocket | undefined;
  /** Absent: plain HTTP. */
  readonly tls?: ServerTls | undefined;
  /** Who speaks TLS with clients; absent: this thread. */
  readonly threads?: TlsThreads | undefined;
  /** Engine's control client sends no `Host`; on TLS listeners HTTP/1.1 requires one. */
  readonly requireHostHeader: boolean;
  /**
   * It goes on until the work of the other listeners has ended, and answers whoever it has accepted: of those
   * who connect later the next process takes care, which has the same inherited socket and the same tickets.
   */
  readonly isLastToStop?: boolean;
  /** The service goes on without this listener when another process already has its abstract name. */
  readonly isDispensable?: boolean;
  readonly limits: ListenerConnectionsLimits & {
    readonly requestHeadBytes: number;
    readonly headersTimeoutSeconds: number;
    /** Requests of one connection that wait for the one before them. With one more the connection ends. */
    readonly pipelinedRequestsMax: number;
    /** What `Retry-After` of a 503 says, unless the error brings a better value. */
    readonly retryAfterSeconds: number;
    /**
     * How many log records a second are written one by one for a client address without a ticket; further
     * ones are summed up.
     */
    readonly unauthorisedRecordsPerSecond: number;
  };
}

/**
 * One listening socket and its connections. It makes an `Exchange` of every request before the application
 * sees it, and knows how to stop: first no new connections and 503 for new requests, then, at the deadline,
 * everything that still runs is cut.
 */
export class HttpListener {
  readonly name: string;
  readonly #options: HttpListenerOptions;
  readonly #server: Server;
  readonly #connections: ListenerConnections;
  readonly #strangerRecords: StrangerRecords;
  readonly #reports: RequestReports;
  #unixSocket: BoundUnixSocket | undefined;
  #tls: ServerTls | undefined;
  #certificate: X509Certificate | undefined;
  #draining = false;
  #absent = false;
  #adopted = false;

  constructor(
    options: HttpListenerOptions,
    private readonly logger: Logger,
  ) {
    this.name = options.name;
    this.#options = options;
    this.#strangerRecords = new StrangerRecords(
      { listener: this.name, recordsPerSecondMax: options.limits.unauthorisedRecordsPerSecond },
      systemClock,
      logger,
    );
    this.#reports = new RequestReports(options, logger, this.#strangerRecords);
    this.#server = createNodeServer(options.limits, options.tls);
    this.#connections = new ListenerConnections(
      this.#server,
      {
        name: this.name,
        speaksTls: options.tls !== undefined,
        limits: options.limits,
        onPlainHttp: (socket) => {
          options.observer?.handshakeFailed(this.name);
          this.#refusePlainHttp(socket);
        },
        onHandshakeFailure: (client, reason) => {
          this.#handshakeFailed(client, reason);
        },
        threads: options.threads,
      },
      this.#strangerRecords,
    );
    this.#tls = options.tls;
    if (options.tls !== undefined) this.#certificate = new X509Certificate(options.tls.cert);
    this.#server.on('request', (request, response) => {
      this.#handle(request, response, false);
    });
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.#handle(request, response, true);
    });
    // `Expect` has some other value than 100-continue. RFC 9110 section 10.1.1 lets a server ignore it, and
    // the request is answered like any other; without this listener Node would refuse it with 417.
    this.#server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
      this.#handle(request, response, false);
    });
    // No route takes CONNECT, and Node would close the connection without a word.
    this.#server.on('connect', (_request, socket: Socket) => {
      void this.#refuse(unsupportedMethod(), socket);
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      void this.#refuse(error, socket);
    });
    this.#server.on('tlsClientError', ({ message }: Error, socket: Socket) => {
      this.#handshakeFailed(clientAddressOf(socket), message);
      socket.destroy();
    });
  }

  /**
   * Binds the socket. A dispensable listener whose abstract name another process has stays `absent`, which
   * the log says.
   * @throws Error naming the listener when the address cannot be bound
   */
  async open(): Promise<void> {
    const server: NetServer = this.#server;
    const { listen } = this.#options;
    const inherited = this.#usable(this.#options.inherited);
    try {
      if (inherited !== undefined) await this.#adopt(inherited);
      else if (listen.kind === 'tcp') {
        server.listen({ host: listen.host, port: listen.port });
        await once(server, 'listening');
      } else this.#unixSocket = await listenOnUnixSocket(server, listen);
    } catch (error: unknown) {
      if (this.#options.isDispensable === true && error instanceof AbstractNameTakenError) {
        this.#absent = true;
        this.logger.warn(
          `No ${this.name} listener: ${error.message}. The service goes on without it and does not ` +
            'offer the unix socket; clients on this host use the remote listener',
        );
        return;
      }
      throw new Error(`Cannot open the ${this.name} listener`, { cause: error });
    }
    this.#connections.open();
    if (this.#tls !== undefined) this.#options.threads?.start(this.#tls);
    server.on('error', (error) => {
      this.logger.error({ listener: this.name, err: error.message }, 'Listener failed');
    });
  }

  /** The service goes on without it: its abstract name was another process's at the start. */
  get absent(): boolean {
    return this.#absent;
  }

  /** The socket file that it has made; undefined when there is none, or another process's. */
  get ownSocketPath(): string | undefined {
    const address = this.unixAddress;
    return address?.kind === 'path' && !this.#adopted ? address.address : undefined;
  }

  /** The file or abstract name it listens on; undefined for TCP. */
  get unixAddress(): UnixAddress | undefined {
    return this.#unixSocket?.address;
  }

  /** Where it listens, as a person would write it. */
  get address(): string {
    // Node does not tell where an inherited unix socket listens.
    if (this.#unixSocket !== undefined) return `unix:${this.#unixSocket.address.address}`;
    const address = this.#server.address();
    if (address === null || typeof address === 'string')
      throw new Error(`The ${this.name} listener is not open`);
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${hostAndPort(address)}`;
  }

  /** How many connections are open, TLS handshakes included. */
  get connections(): number {
    return this.#connections.count;
  }

  /** It is bound and takes new work. */
  get accepting(): boolean {
    return this.#server.listening && !this.#draining;
  }

  /**
   * Takes another certificate for connections to come; those that are open stay as they are.
   * @throws Error when certificate or key cannot be parsed or do not belong together: then nothing changes
   */
  setCertificate(tls: ServerTls): void {
    if (!(this.#server instanceof HttpsServer)) throw new Error(`The ${this.name} listener has no TLS`);
    // A server drops its old certificate before it looks at the new one. So the new one is tried first.
    const context = secureContextOf(tls);
    createSecureContext(context);
    this.#certificate = new X509Certificate(tls.cert);
    this.#server.setSecureContext(context);
    this.#options.threads?.setTls(tls);
    this.#tls = tls;
  }

  /** What new connections see; undefined without TLS. */
  get tls(): ServerTls | undefined {
    return this.#tls;
  }

  /** When the certificate that new connections see expires, in seconds since 1970; undefined without TLS. */
  get certificateExpiresUnixSeconds(): number | undefined {
    return this.#certificate === undefined ? undefined : this.#certificate.validToDate.getTime() / 1000;
  }

  /**
   * Stops accepting, answers 503 to new requests on open connections, closes idle ones, and tells the running
   * requests.
   */
  drain(): void {
    this.#draining = true;
    this.#stopListening();
    this.#options.threads?.drain();
    this.#connections.closeIdle(!this.isLastToStop);
    for (const exchange of this.#connections.exchanges) exchange.drain();
  }

  /** See {@link HttpListenerOptions.isLastToStop}; false for a socket that was not inherited. */
  get isLastToStop(): boolean {
    return this.#adopted && this.#options.isLastToStop === true;
  }

  /** How many requests are being answered, or for a listener that stops last, may still come. */
  get running(): number {
    const waiting = this.#draining && this.isLastToStop ? this.#connections.newCount : 0;
    return this.#connections.exchanges.length + waiting + (this.#options.threads?.running ?? 0);
  }

  /** Cancels every running request. */
  abort(reason: Error): void {
    for (const exchange of this.#connections.exchanges) exchange.abort(reason);
    this.#options.threads?.abort();
  }

  /** Cuts what is left. */
  close(): void {
    this.#stopListening();
    this.#server.closeAllConnections();
    this.#connections.close();
  }

  /** Writes log records that are still summed up: the last ones, once nothing runs any more. */
  flushRecords(): void {
    this.#strangerRecords.flush();
  }

  /**
   * A socket whose file is gone cannot be connected to: it goes when the folder is removed that it was in.
   * Then the listener makes one as if none had been passed.
   */
  #usable(socket: InheritedSocket | undefined): InheritedSocket | undefined {
    if (socket?.address.kind !== 'path') return socket;
    const { address } = socket.address;
    if (statSync(address, { throwIfNoEntry: false })?.isSocket() === true) return socket;
    closeSync(socket.fd);
    this.logger.warn(
      `The socket ${describeInherited(socket)} was passed, but its file is gone, so the service makes ` +
        'its own. Restart the socket unit',
    );
    return undefined;
  }

  /** Listens on a socket whose file, mode and owner are the service manager's, and stay as they are. */
  async #adopt(socket: InheritedSocket): Promise<void> {
    const { fd, address } = socket;
    this.#server.listen({ fd });
    await once(this.#server, 'listening');
    this.#adopted = true;
    if (address.kind === 'tcp') return;
    this.#unixSocket = { address, removeFile: () => false };
    if (this.#options.trustsClients !== true || address.kind === 'abstract') return;
    if ((statSync(address.address, { throwIfNoEntry: false })?.mode ?? 0) & writableByOthers) {
      this.logger.warn(
        `The socket ${describeInherited(socket)} was passed with a mode that lets every user of this host ` +
          'add tickets: set SocketMode=0660 in its unit',
      );
    }
  }

  #stopListening(): void {
    // The file is removed before the server closes. A closing server accepts nobody, so another process that
    // starts may replace the file at any moment, and then it would be the other's file that is removed.
    this.#unixSocket?.removeFile();
    this.#unixSocket = undefined;
    // Node's HTTP server would close connections on which nothing was asked yet as well, and those on which
    // only a thread is asked.
    const keepsConnections = this.isLastToStop || this.#options.threads !== undefined;
    if (keepsConnections) NetServer.prototype.close.call(this.#server);
    else this.#server.close();
  }

  #handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    if (isSurplus(request)) return;
    const connection = ClientConnection.of(request.socket);
    // The connection has had its last answer: requests that still arrive on it are dropped, never executed.
    if (connection.lingering) return;
    if (connection.exchanges.length > this.#options.limits.pipelinedRequestsMax) {
      const record = { listener: this.name, client: clientAddressOf(request.socket) };
      this.#strangerRecords.write('debug', record, 'Too many requests wait on one connection');
      connection.destroy();
      return;
    }
    const before = connection.exchanges.at(-1);
    const exchange = new Exchange(request, response, connection, {
      expectsContinue,
      listener: this.name,
      strangerRecords: this.#strangerRecords,
      retryAfterSeconds: this.#options.limits.retryAfterSeconds,
    });
    this.#reports.whenDone(exchange);
    if (before === undefined) {
      this.#dispatch(exchange);
      return;
    }
    // Pipelined requests run one after the other, so that a GET sees what the PUT before it wrote. Reading
    // is paused until then, because it would only collect more requests in memory. Bytes that were read
    // before the pause still become requests, so there can be several that wait.
    request.socket.pause();
    before.response.once('close', () => {
      if (connection.lingering || connection.closed) return;
      if (connection.exchanges.length === 1) request.socket.resume();
      this.#dispatch(exchange);
    });
  }

  #dispatch(exchange: Exchange): void {
    if (this.#draining) {
      exchange.closeAfterResponse();
      if (!this.isLastToStop) {
        exchange.fail(new UnavailableError('The service is stopping'));
        return;
      }
    }
    const { request, response, connection } = exchange;
    const refusal = headRefusal(request, this.#options.requireHostHeader) ?? framingRefusal(request);
    if (refusal !== undefined) {
      exchange.closeAfterResponse();
      exchange.fail(refusal);
      return;
    }
    if (connection.overdue && !exchange.bodyPending) exchange.closeAfterResponse();
    this.#options.handler(request, response);
  }

  /** Answers bytes that are no request that can be served. */
  async #refuse(error: NodeJS.ErrnoException, socket: Socket): Promise<void> {
    const client = clientAddressOf(socket);
    const status = await answerUnparsable(error, socket, this.#options.allowedMethods());
    if (status !== undefined) this.#reports.refused({ client, status, code: error.code });
  }

  #handshakeFailed(client: string | undefined, reason: string): void {
    this.#options.observer?.handshakeFailed(this.name);
    const record = { listener: this.name, client, err: reason };
    this.#strangerRecords.write('debug', record, 'TLS handshake failed');
  }

  #refusePlainHttp(socket: Socket): void {
    const client = clientAddressOf(socket);
    const status = answerPlainHttp(socket, this.#options.limits);
    this.#reports.refused({ client, status, code: 'PLAIN_HTTP' });
  }
}

/** What Node's parser reports for the methods that it does not know. */
function unsupportedMethod(): NodeJS.ErrnoException {
  return Object.assign(new Error('Method is not supported'), { code: 'HPE_INVALID_METHOD' });
}

function hostAndPort({ address, family, port }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
