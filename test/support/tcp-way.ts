import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A way to a service over TCP, of which every connection ends at both of its ends together. */
export abstract class TcpWay implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  /** @param targetPort where it leads; undefined while it leads nowhere */
  protected constructor(public targetPort: number | undefined) {
    this.#server = createServer((client) => {
      this.#join(client);
    });
  }

  protected async open(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection, as a network that fails does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Passes on what the client of one connection sends; the answers pass as they are. */
  protected abstract carry(client: Socket, target: Socket): void;

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
    this.carry(client, target);
    target.pipe(client);
  }
}
