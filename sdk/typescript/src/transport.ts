import { Agent, fetch as undiciFetch, Request as UndiciRequest, type Dispatcher } from 'undici';

/** Where a service is and how to get there. */
export interface Endpoint {
  /** Scheme, host and port, e.g. `https://host.example.com:54322`; with a unix socket `http://localhost`. */
  readonly baseUrl: string;
  /** PEM of the authority that the certificate of the service is verified with; the system's when absent. */
  readonly ca?: string;
  /** A unix socket to connect to instead; abstract when it begins with NUL. */
  readonly socketPath?: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Keep-alive connections to one endpoint. Bodies stream in both directions; nothing waits for a whole image,
 * so there is no limit to the time that a body takes.
 */
export class Transport implements AsyncDisposable {
  readonly #dispatcher: Dispatcher;
  readonly #closing = new AbortController();

  constructor(readonly endpoint: Endpoint) {
    const { ca, socketPath } = endpoint;
    this.#dispatcher = new Agent({
      connect: { ...(ca === undefined ? {} : { ca }), ...(socketPath === undefined ? {} : { socketPath }) },
      // A flush or a checksum of a large image is answered when it is done.
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false,
    });
  }

  /** For generated clients: the request class that goes with `fetch`. */
  readonly Request = UndiciRequest as unknown as typeof globalThis.Request;

  /** For generated clients. */
  readonly fetch = async (request: globalThis.Request): Promise<globalThis.Response> => {
    const response = await undiciFetch(request as unknown as UndiciRequest, { dispatcher: this.#dispatcher });
    return response as unknown as globalThis.Response;
  };

  /**
   * Sends one request whose body is a stream of known length, which fetch would send chunked.
   * @param path with its query
   */
  async send(
    path: string,
    options: Pick<
      Dispatcher.RequestOptions,
      'method' | 'headers' | 'body' | 'signal' | 'headersTimeout' | 'bodyTimeout'
    >,
  ): Promise<Dispatcher.ResponseData> {
    return this.#dispatcher.request({
      ...options,
      origin: this.endpoint.baseUrl,
      path,
      headers: { ...this.endpoint.headers, ...(options.headers as Record<string, string>) },
    });
  }

  /** Aborted when it is closed: for what would never end by itself. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Closes the connections once what is running has ended. What follows events ends at once. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('The client was closed'));
    await this.#dispatcher.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
