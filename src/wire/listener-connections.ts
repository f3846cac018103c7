import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { errorMessage } from '../base/error-details.js';
import { ClientConnection, type ConnectionLimits, type RunningExchange } from './client-connection.js';
import { clientAddressOf } from './client-network.js';
import type { RecordSink } from './record-sink.js';
import { ConnectionSlots, type SlotHolder } from './connection-slots.js';
import { takeTlsStart } from '../node-internals/tls-start.js';
import { TlsHandshakes } from './tls-handshakes.js';
import type { ClientThread } from './client-thread.js';
import type { ClientEvents, TlsThreads } from './tls-threads.js';
import { takeDescriptor, usingDescriptors } from '../node-internals/socket-descriptor.js';

export interface ListenerConnectionsLimits extends ConnectionLimits {
  /** From connecting until TLS is spoken. */
  readonly handshakeTimeoutSeconds: number;
  /** Open connections: each takes a file descriptor. */
  readonly connectionsMax: number;
  /** Of those that have not shown a valid ticket, for one client address. */
  readonly unauthorisedConnectionsPerAddressMax: number;
}

export interface ListenerConnectionsOptions {
  /** The name of the listener. */
  readonly name: string;
  readonly speaksTls: boolean;
  readonly limits: ListenerConnectionsLimits;
  /** A client speaks HTTP without TLS to a TLS port. */
  readonly onPlainHttp: (socket: Socket) => void;
  /** Told of a handshake that failed, and why. */
  readonly onHandshakeFailure: (client: string | undefined, reason: string) => void;
  /** Who speaks TLS with clients; absent: this thread. */
  readonly threads?: TlsThreads | undefined;
}

// A client that has gone is noticed within a second.
const checkMilliseconds = 500;

/** The connections of a listener, from the moment they are accepted: who may stay, and for how long. */
export class ListenerConnections {
  readonly #slots: ConnectionSlots<SlotHolder>;
  readonly #open = new Set<ClientConnection>();
  #checks: NodeJS.Timeout | undefined;

  constructor(
    server: Server,
    private readonly options: ListenerConnectionsOptions,
    private readonly strangerRecords: RecordSink,
  ) {
    const { limits, speaksTls } = options;
    this.#slots = new ConnectionSlots({
      connectionsMax: limits.connectionsMax,
      strangersPerNetworkMax: limits.unauthorisedConnectionsPerAddressMax,
    });
    if (speaksTls) this.#acceptTls(server);
    else {
      server.on('connection', (socket: Socket) => {
        if (this.#admit(socket)) this.#accept(socket, socket);
      });
    }
  }

  /** Begins to look after them. */
  open(): void {
    this.#checks = setInterval(() => {
      for (const connection of this.#open) connection.check();
    }, checkMilliseconds).unref();
  }

  /** How many are open, TLS handshakes included. */
  get count(): number {
    return this.#slots.taken;
  }

  /** The requests that are being answered, and those that wait for them. */
  get exchanges(): RunningExchange[] {
    return [...this.#open].flatMap(({ exchanges }) => exchanges);
  }

  /** How many were accepted and have not asked for anything yet. */
  get newCount(): number {
    return [...this.#open].filter(({ isNew }) => isNew).length;
  }

  /** Ends those on which nothing is being answered. @param newToo also those that have asked nothing yet */
  closeIdle(newToo: boolean): void {
    for (const connection of this.#open) {
      if (connection.isIdle && (newToo || !connection.isNew)) connection.destroy();
    }
  }

  /** Ends them all. */
  close(): void {
    clearInterval(this.#checks);
    for (const socket of this.#slots.holders) socket.destroy();
  }

  #acceptTls(server: Server): void {
    const { limits, onPlainHttp } = this.options;
    const startTls = takeTlsStart(server);
    // Only a connection on which TLS has not begun can be given away.
    const threads = startTls === undefined || !usingDescriptors.inUse ? undefined : this.options.threads;
    const handshakes = new TlsHandshakes({
      timeoutSeconds: limits.handshakeTimeoutSeconds,
      startTls:
        threads === undefined
          ? startTls
          : (socket) => {
              this.#lend(server, socket, threads);
            },
      onPlainHttp,
    });
    server.on('connection', (socket: Socket) => {
      if (this.#admit(socket)) handshakes.begin(socket);
    });
    if (threads !== undefined) return;
    server.on('secureConnection', (tlsSocket: Socket) => {
      const socket = handshakes.end(tlsSocket);
      if (socket === undefined) tlsSocket.destroy();
      else this.#accept(tlsSocket, socket);
    });
  }

  /** @returns false when there is no room for the connection: then it is destroyed */
  #admit(socket: Socket): boolean {
    if (!this.#slots.take(socket)) {
      const record = { listener: this.options.name, client: clientAddressOf(socket) };
      this.strangerRecords.write(
        'warn',
        record,
        'Connection refused, tickets have all of limits.connections',
      );
      socket.destroy();
      return false;
    }
    socket.once('close', () => {
      this.#slots.release(socket);
    });
    return true;
  }

  /**
   * Gives a connection away, and takes what its client says without TLS in its place.
   * @param socket on which the first bytes of the client have come
   */
  #lend(server: Server, socket: Socket, threads: TlsThreads): void {
    const received = socket.read() as Buffer;
    const { remoteAddress } = socket;
    const clientAddress = clientAddressOf(socket);
    const holder = { remoteAddress, destroy: (): void => undefined };
    let passage: Socket | undefined;
    const events: ClientEvents = {
      secure: (lent, thread) => {
        passage = lent;
        return this.#accept(lent, holder, thread);
      },
      passes: () => {
        // Not before, as from then on Node waits for the head of a request.
        if (passage?.destroyed === false) server.emit('secureConnection', passage);
      },
      failed: (reason) => {
        this.options.onHandshakeFailure(clientAddress, reason);
      },
      closed: () => {
        this.#slots.release(holder);
      },
    };
    try {
      const fd = takeDescriptor(socket);
      this.#slots.replace(socket, holder);
      holder.destroy = threads.lend({ fd, received, clientAddress }, events);
    } catch (error: unknown) {
      // There are no descriptors left.
      const record = { listener: this.options.name, client: clientAddress, err: errorMessage(error) };
      this.strangerRecords.write('warn', record, 'Connection refused');
      socket.destroy();
      this.#slots.release(holder);
    }
  }

  /**
   * @param holder of the slot: the connection itself, or the one below its TLS
   * @param thread that speaks TLS on it
   */
  #accept(socket: Socket, holder: SlotHolder, thread?: ClientThread): ClientConnection {
    const authorized = (): void => {
      this.#slots.keep(holder);
    };
    const connection = ClientConnection.accept(socket, this.options.limits, authorized, thread);
    this.#open.add(connection);
    socket.once('close', () => this.#open.delete(connection));
    // There must be no `data` listener here: with one, Node's HTTP parser gets its bytes through JavaScript
    // instead of straight from the socket, which is slower. Failed writes and resets end the connection,
    // which its exchanges notice by the `close` event.
    socket.on('error', (error) => {
      const record = {
        listener: this.options.name,
        client: clientAddressOf(socket),
        err: error.message,
      };
      this.strangerRecords.write('debug', record, 'Connection failed');
    });
    return connection;
  }
}
