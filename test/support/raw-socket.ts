import { EventEmitter, once } from 'node:events';
import { connect as connectNet, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { closeByReset } from '../../src/node-internals/socket-descriptor.js';
import { connectOptions, type Address } from './address.js';
import { patienceMs, within } from './deadline.js';

/**
 * A connection that sends the bytes it is told to and keeps what comes back, for tests of the wire: broken
 * framing, slow clients, half-closed and reset connections.
 */
export class RawSocket {
  private readonly chunks: Buffer[] = [];
  private ended = false;
  private failure: Error | undefined;
  private readonly changes = new EventEmitter();

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.changed();
    });
    socket.on('end', () => {
      this.ended = true;
      this.changed();
    });
    socket.on('error', (error) => {
      this.failure = error;
      this.changed();
    });
    socket.on('close', () => {
      this.ended = true;
      this.changed();
    });
  }

  /** @param overrides more options for tls.connect, e.g. `maxVersion`, `ALPNProtocols` */
  static async connect(address: Address, overrides: ConnectionOptions = {}): Promise<RawSocket> {
    const options = { ...connectOptions(address), allowHalfOpen: true, ...overrides };
    const socket =
      address.kind === 'tls'
        ? connectTls(options)
        : connectNet({ ...options, host: options.host ?? '', path: options.path ?? '' });
    try {
      await within(once(socket, address.kind === 'tls' ? 'secureConnect' : 'connect'), 'the connection');
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return new RawSocket(socket);
  }

  /** Everything received so far. */
  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** The server has ended its side, or the connection is gone. */
  get closed(): boolean {
    return this.ended;
  }

  /** Why the connection broke, if it did; ECONNRESET and EPIPE are how a server's hard close is seen. */
  get error(): Error | undefined {
    return this.failure;
  }

  /**
   * Sends bytes (text is sent as Latin-1, so that any byte can be written in a string);
   * resolves when the kernel has them.
   */
  async send(bytes: Uint8Array | string): Promise<void> {
    const taken = new Promise((resolve) => {
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, resolve);
    });
    await within(taken, 'the kernel to take the bytes', { detail: () => this.summary() });
  }

  /** Sends the request head lines and the empty line after them. */
  async sendHead(...lines: string[]): Promise<void> {
    await this.send([...lines, '', ''].join('\r\n'));
  }

  /** Ends this side and keeps reading. */
  halfClose(): void {
    this.socket.end();
  }

  /** Closes with RST where the transport has it (TCP, with TLS too), so that what is unsent is dropped. */
  reset(): void {
    closeByReset(this.socket);
    this.socket.destroy();
  }

  /** Stops reading: the server's send buffers fill up. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.destroy();
  }

  /** Resolves with everything received once `text` is in it. @throws when the connection ends before */
  async readUntil(text: string, deadlineMs = patienceMs): Promise<Buffer> {
    return this.waitFor((bytes) => bytes.includes(text, 0, 'latin1'), JSON.stringify(text), deadlineMs);
  }

  /**
   * Resolves with everything received once it is at least that long.
   * @throws when the connection ends before
   */
  async readAtLeast(lengthBytes: number, deadlineMs = patienceMs): Promise<Buffer> {
    return this.waitFor((bytes) => bytes.length >= lengthBytes, `${lengthBytes} bytes`, deadlineMs);
  }

  /** Resolves with everything received when the server has closed, by FIN or RST. */
  async readUntilClose(deadlineMs = patienceMs): Promise<Buffer> {
    while (!this.ended && this.failure === undefined) await this.nextEvent('the server to close', deadlineMs);
    return this.received;
  }

  private async waitFor(
    enough: (bytes: Buffer) => boolean,
    what: string,
    deadlineMs: number,
  ): Promise<Buffer> {
    while (!enough(this.received)) {
      if (this.ended || this.failure !== undefined)
        throw new Error(`The connection ended before ${what} came: ${this.summary()}`, {
          cause: this.failure,
        });
      await this.nextEvent(what, deadlineMs);
    }
    return this.received;
  }

  private async nextEvent(what: string, deadlineMs: number): Promise<void> {
    await within(once(this.changes, 'change'), what, { deadlineMs, detail: () => this.summary() });
  }

  private changed(): void {
    this.changes.emit('change');
  }

  private summary(): string {
    const received = this.received;
    const beginning = received.subarray(0, 500).toString('latin1');
    return `received ${received.length} bytes: ${JSON.stringify(beginning)}`;
  }
}
