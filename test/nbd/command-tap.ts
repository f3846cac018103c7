import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

import { eventually } from '../support/deadline.js';

/** The commands of NBD's transmission phase that tests wait for. */
export type Command = 'read' | 'write' | 'flush' | 'write zeroes' | 'block status';

const requestMagic = 0x25609513;
const commandNumbers: Readonly<Record<Command, number>> = {
  read: 0,
  write: 1,
  flush: 3,
  'write zeroes': 6,
  'block status': 7,
};

/**
 * Stands between a daemon and its NBD server and sees which commands have been sent. A ticket that is
 * active says only that a request has been let in, not that its backend has asked the server for anything.
 */
export class CommandTap implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  #seen: number[] = [];

  private constructor(
    readonly socketPath: string,
    private readonly server: Server,
  ) {}

  /**
   * @param socketPath where it listens
   * @param serverPath socket of the NBD server, which may come and go
   */
  static async listen(socketPath: string, serverPath: string): Promise<CommandTap> {
    const server = createServer();
    const tap = new CommandTap(socketPath, server);
    server.on('connection', (client) => {
      tap.#join(client, connect(serverPath));
    });
    server.listen(socketPath);
    await once(server, 'listening');
    return tap;
  }

  get url(): string {
    return `nbd:unix:${this.socketPath}`;
  }

  /** Forgets what it has seen. */
  reset(): void {
    this.#seen = [];
  }

  /** Resolves when the command has been sent since the last reset. */
  async sent(command: Command): Promise<void> {
    await eventually(
      () => (this.#seen.includes(commandNumbers[command]) ? true : undefined),
      `${command} was sent`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    client.on('data', (bytes: Buffer) => {
      this.#note(bytes);
    });
  }

  /**
   * A head between the data of large writes may be split and missed; the first one on
   * an idle connection never is.
   */
  #note(bytes: Buffer): void {
    const magic = Buffer.alloc(4);
    magic.writeUInt32BE(requestMagic);
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + magic.length))
      if (at + 8 <= bytes.length) this.#seen.push(bytes.readUInt16BE(at + 6));
  }
}
