import type { Exchange } from '../http/exchange.js';
import type { ImageOperations } from './image-operations.js';

export interface ServiceCapabilities {
  /** Address of the local service as it is put into a socket address, with a leading NUL when abstract; undefined when it is off. */
  readonly unixSocket: () => string | undefined;
  /** `daemon.max_connections`: how many connections a client may use for one image. */
  readonly connectionsMax: number;
}

const readFeatures = ['checksum', 'extents'];
const writeFeatures = ['flush', 'zero'];

/** OPTIONS /images/{id}: what can be done with the image and with how many connections. It is every client's first request. */
export class OptionsHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly capabilities: ServiceCapabilities,
  ) {}

  async handle(exchange: Exchange, ticketId: string): Promise<void> {
    if (ticketId === '*') {
      this.#send(exchange, { writable: true });
      return;
    }
    await this.operations.run(
      exchange,
      { ticketId, access: 'read', kind: 'options' },
      async ({ permit, backend }) => {
        const { connectionsMax } = this.capabilities;
        this.#send(exchange, {
          writable: permit.writable,
          max_readers: Math.min(backend.readersMax, connectionsMax),
          max_writers: Math.min(backend.writersMax, connectionsMax),
        });
      },
    );
  }

  #send(
    exchange: Exchange,
    { writable, ...limits }: { writable: boolean; max_readers?: number; max_writers?: number },
  ): void {
    const unixSocket = this.capabilities.unixSocket();
    const body = JSON.stringify({
      ...(unixSocket === undefined ? {} : { unix_socket: unixSocket }),
      features: writable ? [...readFeatures, ...writeFeatures] : readFeatures,
      ...limits,
    });
    const allow = writable ? 'OPTIONS,GET,PUT,PATCH' : 'OPTIONS,GET';
    exchange.send(200, { 'Content-Type': 'application/json', Allow: allow }, body);
  }
}
