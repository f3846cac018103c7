import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/** A way to a service that can be cut, as a bad network does, while its address stays. */
export class CutWay implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #cuts: { readonly afterBytes: number; readonly then: () => void }[] = [];
  #passedBytes = 0;

  private constructor(
    private readonly server: Server,
    /** Where it leads; undefined while it is cut. */
    public targetPort: number | undefined,
  ) {}

  static async to(targetPort: number): Promise<CutWay> {
    const server = createServer();
    const way = new CutWay(server, targetPort);
    server.on('connection', (client) => {
      way.#join(client);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return way;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Bytes that clients have sent. */
  get passedBytes(): number {
    return this.#passedBytes;
  }

  /** Resolves when that many more bytes have passed; every connection is cut at that moment. */
  async cutAfter(bytes: number): Promise<void> {
    await new Promise<void>((then) => this.#cuts.push({ afterBytes: this.#passedBytes + bytes, then }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  #join(client: Socket): void {
    if (this.targetPort === undefined) {
      client.destroy();
      return;
    }
    const target = connect(this.targetPort, '127.0.0.1');
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      this.#passed(bytes.length);
      if (!target.write(bytes)) client.pause();
    });
    target.on('drain', () => client.resume());
    target.pipe(client);
  }

  #passed(bytes: number): void {
    this.#passedBytes += bytes;
    const [next] = this.#cuts;
    if (next === undefined || this.#passedBytes < next.afterBytes) return;
    this.#cuts.shift();
    next.then();
    this.cut();
  }

  /** Ends every connection, as a network that fails does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
