import {
  Agent as HttpAgent,
  request as requestHttp,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { HttpAnswer, HttpRequest, HttpTransport, PartRequest } from '../transfer/http.js';
import { brokenConnection } from './broken-connection.js';
import { NodeEndpoint, type NodeEndpointOptions } from './node-endpoint.js';
import { PartReceiver } from './part-receiver.js';

export interface NodeTransportOptions extends NodeEndpointOptions {
  /**
   * How long the service may be silent: longer than it takes to zero, flush or hash as much as one request
   * asks for.
   */
  readonly silenceSeconds?: number;
}

const silenceSecondsDefault = 600;

/**
 * Node's own client: over TLS, or over a unix socket. A piece of an image is sent by one write without a
 * copy, and received straight into the memory that it is for.
 */
export class NodeTransport implements HttpTransport {
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #endpoint: NodeEndpoint;
  readonly #options: RequestOptions;
  readonly #parts: PartReceiver;
  #ownAddress: string | undefined;

  constructor(private readonly options: NodeTransportOptions) {
    const { headers = {}, silenceSeconds = silenceSecondsDefault } = options;
    const endpoint = new NodeEndpoint(options);
    const keepAlive = { keepAlive: true, noDelay: true };
    const { place, isSecure, rejectUnauthorized } = endpoint;
    this.#agent = isSecure
      ? new HttpsAgent({ ...keepAlive, secureContext: endpoint.secureContext, rejectUnauthorized })
      : new HttpAgent(keepAlive);
    this.#endpoint = endpoint;
    this.#options = { ...place, agent: this.#agent };
    this.#parts = new PartReceiver(endpoint, headers, silenceSeconds);
  }

  /** The address of the service, once it has answered, where that is one of this host. */
  get ownAddress(): string | undefined {
    return this.#ownAddress;
  }

  receive(request: PartRequest, target: Uint8Array, signal: AbortSignal): Promise<boolean> {
    return this.#parts.receive(request, target, signal);
  }

  send({ method, path, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const { headers: common, silenceSeconds = silenceSecondsDefault } = this.options;
    const start = this.#endpoint.isSecure ? requestHttps : requestHttp;
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const all = { ...common, ...headers, ...length };
    const request = start({ ...this.#options, method, path, headers: all, signal });
    request.setTimeout(silenceSeconds * 1000, () => {
      request.destroy(new Error(`The service was silent for ${silenceSeconds} seconds`));
    });
    request.once('response', (response) => {
      const { localAddress, remoteAddress } = response.socket;
      this.#ownAddress = localAddress === remoteAddress ? localAddress : undefined;
      resolve({
        status: response.statusCode ?? 0,
        header: (name) => [response.headers[name]].flat()[0],
        body: chunksOf(response, signal),
      });
    });
    request.on('error', (error) => {
      reject(signal.aborted ? (signal.reason as Error) : brokenConnection(error));
    });
    request.end(body);
    return promise;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    this.#parts.close();
  }
}

async function* chunksOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield chunk;
  } catch (error: unknown) {
    signal.throwIfAborted();
    throw brokenConnection(error as Error);
  }
}
