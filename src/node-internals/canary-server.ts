import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type NetConnectOpts, type Server, type Socket } from 'node:net';

/**
 * The server that a canary talks to. It runs in this process while the canary does, at a random abstract
 * name.
 */
export class CanaryServer implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #failed = Promise.withResolvers<never>();

  private constructor(
    private readonly server: Server,
    private readonly path: string,
  ) {
    server.on('connection', (socket: Socket) => {
      this.#watch(socket);
    });
    // Only `during` looks at the failure. Without this handler one that nobody waits for would end the
    // process.
    this.#failed.promise.catch(() => undefined);
  }

  static async open(server: Server): Promise<CanaryServer> {
    const path = `\0imageio-canary-${randomUUID()}`;
    const canary = new CanaryServer(server, path);
    server.listen(path);
    await once(server, 'listening');
    return canary;
  }

  /** @param open makes the connection with the options that say where to */
  connect(open: (options: NetConnectOpts) => Socket = (options) => connect(options)): Socket {
    const socket = open({ path: this.path, allowHalfOpen: true });
    this.#watch(socket);
    return socket;
  }

  /** Resolves as `promise` does. @throws what goes wrong on any connection meanwhile */
  async during<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed.promise]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', this.#failed.reject);
  }
}

/** All that comes from a connection until its other side ends. */
export async function received(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(Buffer.from(piece)));
  await once(socket, 'end');
  return Buffer.concat(pieces);
}

/** @throws Error that says what is not as it should be */
export function expectThat(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}
