import type { Socket } from 'node:net';

export interface TlsHandshakesOptions {
  /** From connecting until TLS is spoken. */
  readonly timeoutSeconds: number;
  /**
   * Makes a TLS socket of a connection whose first bytes were received; undefined when TLS starts by itself.
   */
  readonly startTls: ((socket: Socket) => void) | undefined;
  /** The client speaks HTTP without TLS. */
  readonly onPlainHttp: (socket: Socket) => void;
}

/**
 * The connections to a TLS port on which TLS is not spoken yet. TLS starts only when the first bytes are
 * there, so that a client that speaks plain HTTP can be told of its mistake. When a client closes its side
 * before that, its connection is closed at once.
 */
export class TlsHandshakes {
  readonly #running = new Map<string, Socket>();

  constructor(private readonly options: TlsHandshakesOptions) {}

  /** Takes charge of a connection that was accepted. */
  begin(socket: Socket): void {
    // The client reset the connection. The `close` event that follows does the rest.
    socket.on('error', () => undefined);
    const ends = endsOf(socket);
    // Without addresses the connection was reset before it was accepted.
    if (ends === undefined) {
      socket.destroy();
      return;
    }
    const timer = setTimeout(() => {
      if (this.#running.get(ends) === socket) socket.destroy();
    }, this.options.timeoutSeconds * 1000);
    this.#running.set(ends, socket);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#running.delete(ends);
    });
    const { startTls } = this.options;
    if (startTls === undefined) return;
    // The TLS socket on it takes this setting over; `end` turns it on again after the handshake.
    socket.allowHalfOpen = false;
    socket.once('readable', () => {
      this.#begun(socket, ends, startTls);
    });
  }

  /**
   * TLS is spoken. From now on the client may end its side and still gets its answer.
   * @returns the connection below; undefined when it is closed already
   */
  end(tlsSocket: Socket): Socket | undefined {
    tlsSocket.allowHalfOpen = true;
    const ends = endsOf(tlsSocket) ?? '';
    const socket = this.#running.get(ends);
    this.#running.delete(ends);
    return socket;
  }

  #begun(socket: Socket, ends: string, startTls: (socket: Socket) => void): void {
    const received = socket.read() as Buffer | null;
    // The client has ended its side.
    if (received === null) return;
    if (!isLetter(received[0])) {
      socket.unshift(received);
      startTls(socket);
      return;
    }
    this.#running.delete(ends);
    socket.allowHalfOpen = true;
    this.options.onPlainHttp(socket);
  }
}

/**
 * A key that is the same for the socket of a connection and for the TLS socket on it, because Node does not
 * tell which ones belong together.
 */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | undefined {
  return remoteAddress === undefined
    ? undefined
    : `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** Every HTTP method begins with a letter, and no TLS record does. */
function isLetter(byte = 0): boolean {
  const lowerCase = byte | 0x20;
  return lowerCase >= 0x61 && lowerCase <= 0x7a;
}
