import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { ClientConnection, type ConnectionLimits, type RunningExchange } from './client-connection.js';
import { clientAddressOf } from './client-network.js';
import type { RecordSink } from './record-sink.js';
import { ConnectionSlots } from './connection-slots.js';
import { takeTlsStart } from '../node-internals/tls-start.js';
import { TlsHandshakes } from './tls-handshakes.js';

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
}

// A client that has gone is noticed within a second.
const checkMilliseconds = 500;

/** The connections of a listener, from the moment they are accepted: who may stay, and for how long. */
export class ListenerConnections {
  readonly #slots: ConnectionSlots<Socket>;
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
      if (connection.exchanges.length === 0 && (newToo || !connection.isNew)) connection.destroy();
    }
  }

  /** Ends them all. */
  close(): void {
    clearInterval(this.#checks);
    for (const socket of this.#slots.holders) socket.destroy();
  }

  #acceptTls(server: Server): void {
    const handshakes = new TlsHandshakes({
      timeoutSeconds: this.options.limits.handshakeTimeoutSeconds,
      startTls: takeTlsStart(server),
      onPlainHttp: this.options.onPlainHttp,
    });
    server.on('connection', (socket: Socket) => {
      if (this.#admit(socket)) handshakes.begin(socket);
    });
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

  /** @param holder of the slot: the connection itself, or the one below its TLS */
  #accept(socket: Socket, holder: Socket): void {
    const connection = ClientConnection.accept(socket, this.options.limits, () => {
      this.#slots.keep(holder);
    });
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
  }
}
