import {
  createServer,
  request as send,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { once } from 'node:events';

/** A request as it passed. */
export interface PassedRequest {
  readonly method: string;
  readonly path: string;
  readonly lastEventId: string | undefined;
}

export interface SocketGatewayOptions {
  /** The unix socket of the service. */
  readonly target: string;
  /** Where clients connect. */
  readonly path: string;
  /**
   * Hides that clients accept events, so that the service answers as one does that has none: it takes
   * `events` for the id of something.
   */
  readonly hidesEvents?: boolean;
}

/** Stands before a unix socket of a service, sees the requests that pass, and can cut their connections. */
export class SocketGateway implements AsyncDisposable {
  readonly passed: PassedRequest[] = [];
  readonly #server: Server;

  private constructor(private readonly options: SocketGatewayOptions) {
    this.#server = createServer((request, response) => {
      this.#pass(request, response);
    });
  }

  static async open(options: SocketGatewayOptions): Promise<SocketGateway> {
    const gateway = new SocketGateway(options);
    gateway.#server.listen(options.path);
    await once(gateway.#server, 'listening');
    return gateway;
  }

  /** Cuts every connection, in the middle of what it carries. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url: path = '', headers } = request;
    this.passed.push({ method, path, lastEventId: [headers['last-event-id']].flat()[0] });
    const { target, hidesEvents = false } = this.options;
    const shown = hidesEvents ? { ...headers, accept: '*/*' } : headers;
    const onward = send({ socketPath: target, method, path, headers: shown, agent: false });
    onward.on('error', () => response.destroy());
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    response.once('close', () => onward.destroy());
    request.pipe(onward);
  }
}
