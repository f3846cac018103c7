import { Socket } from 'node:net';

/**
 * What the client of another thread sends and gets, without TLS. To the main thread it is the connection of
 * that client, which it has the address of.
 */
export class LentSocket extends Socket {
  constructor(fd: number, clientAddress: string | undefined) {
    super({ fd, readable: true, writable: true, allowHalfOpen: true });
    Object.defineProperty(this, 'remoteAddress', { value: clientAddress });
    // The `close` event that follows does the rest.
    this.on('error', () => undefined);
  }
}
