import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { consumeOurselves, replaceClose } from '../node-internals/lingering-close.js';
import { isPeerGone } from '../node-internals/socket-descriptor.js';
import { ClientGoneError, ClientTimeoutError } from '../base/errors.js';
import type { ClientThread } from './client-thread.js';

/** What a connection needs to know of a request that is being answered on it. */
export interface RunningExchange {
  readonly response: ServerResponse;
  /** In milliseconds, as `performance.now()` has them. */
  readonly startedAt: number;
  readonly waitsForClient: boolean;
  readonly bodyPending: boolean;
  abort(reason: Error): void;
  /** The service begins to stop. */
  drain(): void;
  breakBody(reason: Error): void;
  clientEnded(): void;
}

/** Something kept open for a connection, such as the image of a ticket. */
export interface ConnectionResource {
  close(): Promise<void>;
}

export interface ConnectionLimits {
  /** How long a connection that has not shown a valid ticket may be silent. */
  readonly unauthorisedSilenceSeconds: number;
  /** How long a connection that has not shown a valid ticket may last, whatever it does. */
  readonly unauthorisedLifeSeconds: number;
  /** How much of an unread body is read and dropped after an early answer. */
  readonly drainBytes: number;
  /** How long the socket stays open after an early answer so that the client can read it. */
  readonly lingerSeconds: number;
}

/**
 * How long a request must have run before it is checked, by a system call, that its client is still there.
 * Most requests end sooner.
 */
const quickMilliseconds = 500;

const connections = new WeakMap<Socket, ClientConnection>();

/**
 * The service's side of one client socket: how long it may be silent, what it holds open, and how it ends. It
 * owns the socket's timeout; Node's own request and keep-alive timeouts are off, because they limit long
 * transfers or close idle clients too soon.
 */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #limits: ConnectionLimits;
  readonly #resources = new Map<object, ConnectionResource>();
  readonly #exchanges: RunningExchange[] = [];
  readonly #acceptedAt = performance.now();
  #silenceSeconds: number;
  #authorized = false;
  #hasAsked = false;
  #lingering = false;
  /** The timeout is what was left of the silence that is allowed. */
  #isArmedShort = false;
  #halfClosed = false;

  private constructor(
    socket: Socket,
    limits: ConnectionLimits,
    private readonly onAuthorized: () => void,
    readonly thread: ClientThread | undefined,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#silenceSeconds = limits.unauthorisedSilenceSeconds;
    this.#arm();
    socket.on('timeout', () => {
      this.#silent();
    });
    socket.once('close', () => {
      this.#closed();
    });
  }

  /**
   * Takes charge of a socket that a listener accepted.
   * @param onAuthorized called once, when the client has shown a valid ticket
   * @param thread that has the client's side of the connection, if another has
   */
  static accept(
    socket: Socket,
    limits: ConnectionLimits,
    onAuthorized: () => void = () => undefined,
    thread?: ClientThread,
  ): ClientConnection {
    const connection = new ClientConnection(socket, limits, onAuthorized, thread);
    connections.set(socket, connection);
    return connection;
  }

  /** The connection a request came on. */
  static of(socket: Socket): ClientConnection {
    const connection = connections.get(socket);
    if (connection === undefined) throw new Error('The socket was not accepted by one of our listeners');
    return connection;
  }

  static find(socket: Socket): ClientConnection | undefined {
    return connections.get(socket);
  }

  get limits(): ConnectionLimits {
    return this.#limits;
  }

  /**
   * The last answer was sent. Whatever still arrives on this socket is dropped and never becomes a request.
   */
  get lingering(): boolean {
    return this.#lingering;
  }

  /** The client has sent all it ever will. */
  get halfClosed(): boolean {
    return this.#halfClosed;
  }

  /** Requests whose responses have not ended, in the order they came. */
  get exchanges(): readonly RunningExchange[] {
    return this.#exchanges;
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /**
   * A request with a valid ticket came: from now on the ticket says how long the connection may be silent.
   */
  authorized(inactivityTimeoutSeconds: number): void {
    if (!this.#authorized) {
      this.#authorized = true;
      this.onAuthorized();
    }
    if (inactivityTimeoutSeconds === this.#silenceSeconds) return;
    this.#silenceSeconds = inactivityTimeoutSeconds;
    this.#arm();
  }

  /**
   * The client has been connected for longer than it may without showing a valid ticket. The request that is
   * being answered is its last.
   */
  get overdue(): boolean {
    if (this.#authorized) return false;
    return performance.now() - this.#acceptedAt > this.#limits.unauthorisedLifeSeconds * 1000;
  }

  /**
   * Notices what Node has no event for: a client that has gone, and one whose time is up. To be called about
   * twice a second.
   */
  check(): void {
    if (this.#mayHaveGone && isPeerGone(this.#socket)) this.#socket.destroy();
    else if (this.overdue) {
      this.#giveUp(`Client showed no ticket for ${this.#limits.unauthorisedLifeSeconds} seconds`);
    }
  }

  /** It was accepted, and nothing was asked on it yet. */
  get isNew(): boolean {
    return !this.#hasAsked && !this.closed;
  }

  begin(exchange: RunningExchange): void {
    this.#hasAsked = true;
    this.thread?.began();
    if (this.#isArmedShort) this.#arm();
    this.#exchanges.push(exchange);
  }

  end(exchange: RunningExchange): void {
    const index = this.#exchanges.indexOf(exchange);
    if (index >= 0) this.#exchanges.splice(index, 1);
    if (this.#exchanges.length === 0 && !this.#lingering) this.thread?.answered();
  }

  /** Nothing is being answered on it. */
  get isIdle(): boolean {
    return this.#exchanges.length === 0 && this.thread?.isRunning !== true;
  }

  resource(key: object): ConnectionResource | undefined {
    return this.#resources.get(key);
  }

  /** Keeps `resource` for later requests of this connection; it is closed with the connection. */
  keep(key: object, resource: ConnectionResource): void {
    this.#resources.set(key, resource);
  }

  forget(key: object): void {
    this.#resources.delete(key);
  }

  /** The client closed its sending side. A request whose body is not complete will never be. */
  clientEnded(): void {
    this.#halfClosed = true;
    for (const exchange of this.#exchanges) exchange.clientEnded();
  }

  /**
   * Ends the connection at once. A response that is being sent is cut, so that the client sees a body that is
   * too short.
   */
  destroy(): void {
    this.#socket.destroy();
  }

  /**
   * Makes Node end this connection after the current response by a lingering close: the response goes out,
   * then FIN, then at most `drainBytes` more are read and dropped, and after `lingerSeconds` or when the
   * client closes the socket is destroyed. Node's own way, destroying right after the last byte, resets the
   * connection while the client is still sending, and the client loses the answer (RFC 9112 section 9.6).
   */
  lingerAfterResponse(request: IncomingMessage): void {
    let droppedBytes = 0;
    const drop = (chunk: Buffer): void => {
      droppedBytes += chunk.length;
      if (droppedBytes > this.#limits.drainBytes) request.pause();
    };
    request.on('data', drop);
    consumeOurselves(request);
    replaceClose(this.#socket, () => {
      this.linger();
    });
  }

  /** Half-closes the socket now and destroys it a little later. */
  linger(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    const socket = this.#socket;
    socket.end();
    const timer = setTimeout(() => socket.destroy(), this.#limits.lingerSeconds * 1000);
    socket.once('close', () => {
      clearTimeout(timer);
    });
    socket.once('end', () => socket.destroy());
    if (this.#halfClosed) replaceClose(socket, () => socket.destroy());
  }

  #arm(): void {
    this.#isArmedShort = false;
    this.#socket.setTimeout(this.#silenceSeconds * 1000);
  }

  #silent(): void {
    // The socket may be silent because the service is busy: with a flush, a checksum or slow storage. Then
    // the connection stays, and the expiry of the ticket bounds the work.
    const idleSeconds = this.#exchanges.length === 0 ? this.thread?.idleSeconds : undefined;
    if (idleSeconds !== undefined && idleSeconds < this.#silenceSeconds) {
      this.#socket.setTimeout((this.#silenceSeconds - idleSeconds) * 1000);
      this.#isArmedShort = true;
      return;
    }
    if (!this.#giveUp(`Client was silent for ${this.#silenceSeconds} seconds`)) this.#arm();
  }

  /** Ends the connection, unless the client is waiting for the service. @returns whether it did */
  #giveUp(reason: string): boolean {
    const current = this.#exchanges[0];
    if (current !== undefined && !current.waitsForClient) return false;
    // After the end of its response no handler is left that an abort could stop, so the socket is closed
    // here.
    if (current === undefined || current.response.writableEnded) this.#socket.destroy();
    else current.abort(new ClientTimeoutError(reason));
    return true;
  }

  /**
   * Node may not tell when the client goes: it has read to the end of the socket already, or does not read
   * while a request is being worked on.
   */
  get #mayHaveGone(): boolean {
    const current = this.#exchanges[0];
    if (current !== undefined) return performance.now() - current.startedAt > quickMilliseconds;
    return this.#socket.readableEnded;
  }

  #closed(): void {
    for (const exchange of [...this.#exchanges]) exchange.abort(new ClientGoneError());
    for (const resource of this.#resources.values()) void resource.close();
    this.#resources.clear();
  }
}
