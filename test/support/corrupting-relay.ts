import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect as connectNet, type Socket } from 'node:net';
import { connect as connectTls, createServer, type Server, type TLSSocket } from 'node:tls';
import { connectOptions, type Address } from './address.js';
import type { Identity } from './pki.js';

export type Direction = 'request' | 'answer';

/** A flip of a bit that is still to come. */
interface Flip {
  readonly direction: Direction;
  /** Bytes behind the next head. */
  readonly offsetBytes: number;
  /** The last of what was seen while the end of the head is looked for; undefined when it was found. */
  tail: Buffer | undefined;
  /** Bytes behind the head that went by. */
  passedBytes: number;
}

const headEnd = '\r\n\r\n';

/**
 * Stands before a service, ends TLS and begins it anew, and passes every byte on, but for a bit of one body
 * that it flips when it is told to: what broken memory does in whatever stands between.
 */
export class CorruptingRelay implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  #flip: Flip | undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: Address,
    private readonly caPem: string,
  ) {
    server.on('secureConnection', (client) => {
      this.#relay(client);
    });
    // A client that goes in the middle of its handshake.
    server.on('tlsClientError', () => undefined);
  }

  static async start(identity: Identity, target: Address): Promise<CorruptingRelay> {
    const [key, cert] = await Promise.all([readFile(identity.keyFile), readFile(identity.certFile)]);
    const server = createServer({ key, cert, ALPNProtocols: ['http/1.1'] }).listen(0, 'localhost');
    await once(server, 'listening');
    return new CorruptingRelay(server, target, target.kind === 'tls' ? target.ca : '');
  }

  get address(): Address {
    return { kind: 'tls', port: this.#port, ca: this.caPem };
  }

  get url(): string {
    return `https://localhost:${this.#port}`;
  }

  /** Flips a bit of the byte that comes so many bytes behind the next head in that direction. */
  flipNext(direction: Direction, offsetBytes: number): void {
    this.#flip = { direction, offsetBytes, tail: Buffer.alloc(0), passedBytes: 0 };
  }

  /** Nothing was flipped yet of what was to be. */
  get isWaiting(): boolean {
    return this.#flip !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  get #port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  #relay(client: TLSSocket): void {
    const options = connectOptions(this.target);
    const service =
      this.target.kind === 'tls'
        ? connectTls(options)
        : connectNet({ ...options, host: options.host ?? '', path: options.path ?? '' });
    for (const [from, to, direction] of [
      [client, service, 'request'],
      [service, client, 'answer'],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (chunk: Buffer) => {
        if (!to.write(this.#passed(direction, chunk))) from.pause();
      });
      to.on('drain', () => from.resume());
      from.on('end', () => to.end());
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  #passed(direction: Direction, chunk: Buffer): Buffer {
    const flip = this.#flip;
    if (flip?.direction !== direction) return chunk;
    let bodyStart = 0;
    if (flip.tail !== undefined) {
      const seen = Buffer.concat([flip.tail, chunk]);
      const end = seen.indexOf(headEnd);
      flip.tail = end < 0 ? seen.subarray(-headEnd.length + 1) : undefined;
      if (end < 0) return chunk;
      bodyStart = end + headEnd.length - (seen.length - chunk.length);
    }
    const at = bodyStart + flip.offsetBytes - flip.passedBytes;
    flip.passedBytes += chunk.length - bodyStart;
    if (at >= chunk.length) return chunk;
    const flipped = Buffer.from(chunk);
    flipped[at] = (flipped[at] ?? 0) ^ 0x10;
    this.#flip = undefined;
    return flipped;
  }
}
