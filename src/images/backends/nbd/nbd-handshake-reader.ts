import { NbdProtocolError, type NbdConnectionError } from './nbd-errors.js';
import type { ByteConsumer } from './nbd-socket.js';

/**
 * A handshake is a conversation of short messages; a server that sends more without
 * being asked is not an NBD server.
 */
const unreadBytesMax = 64 * 1024;

/** Lets the handshake read as many bytes as the protocol says come next. */
export class NbdHandshakeReader implements ByteConsumer {
  #unread: Buffer = Buffer.alloc(0);
  #waiting:
    { lengthBytes: number; resolve: (bytes: Buffer) => void; reject: (reason: Error) => void } | undefined;
  #closedReason: NbdConnectionError | undefined;

  /** One call at a time. @throws NbdConnectionError when the connection ends first */
  read(lengthBytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { lengthBytes, resolve, reject };
      this.#serve();
    });
  }

  get unreadBytes(): number {
    return this.#unread.length;
  }

  directTarget(): undefined {
    return undefined;
  }

  filled(): void {
    throw new NbdProtocolError('data that nobody asked for');
  }

  consume(bytes: Buffer): void {
    if (this.#unread.length + bytes.length > unreadBytesMax)
      throw new NbdProtocolError('a handshake that does not end');
    this.#unread = Buffer.concat([this.#unread, bytes]);
    this.#serve();
  }

  closed(reason: NbdConnectionError): void {
    this.#closedReason = reason;
    this.#serve();
  }

  #serve(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (this.#unread.length >= waiting.lengthBytes) {
      this.#waiting = undefined;
      const bytes = this.#unread.subarray(0, waiting.lengthBytes);
      this.#unread = this.#unread.subarray(waiting.lengthBytes);
      waiting.resolve(bytes);
    } else if (this.#closedReason !== undefined) {
      this.#waiting = undefined;
      waiting.reject(this.#closedReason);
    }
  }
}
