import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const headEnd = Buffer.from('\r\n\r\n');

/**
 * A way to a service without TLS on which a bit of the request of each connection becomes another one, as bad
 * memory of a switch makes it.
 */
export class FlippingWay implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  /** Counted from the end of the head; undefined for a way that is good. */
  flippedBit: number | undefined;

  private constructor(
    private readonly server: Server,
    private readonly targetPort: number,
  ) {}

  static async to(targetPort: number): Promise<FlippingWay> {
    const server = createServer();
    const way = new FlippingWay(server, targetPort);
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

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  #join(client: Socket): void {
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
    const { flippedBit } = this;
    let head: Buffer | undefined = Buffer.alloc(0);
    let passedBytes = 0;
    client.on('data', (bytes: Buffer) => {
      let body = bytes;
      if (head !== undefined) {
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf(headEnd);
        if (end < 0) return;
        target.write(head.subarray(0, end + headEnd.length));
        body = head.subarray(end + headEnd.length);
        head = undefined;
      }
      const at = flippedBit === undefined ? -1 : Math.floor(flippedBit / 8) - passedBytes;
      passedBytes += body.length;
      const byte = body[at];
      if (byte !== undefined) body[at] = byte ^ (1 << ((flippedBit ?? 0) % 8));
      target.write(body);
    });
    target.pipe(client);
  }
}
