import {
  Agent as HttpAgent,
  request as requestHttp,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import {
  silenceSecondsDefault,
  type HttpAnswer,
  type HttpRequest,
  type HttpTransport,
  type PartRequest,
} from '../transfer/http.js';
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

/**
 * Node's own client: over TLS, or over a unix socket. A part of an image is sent from where it is, and
 * received straight into the memory that it is for.
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
    if (this.#endpoint.isSecure && body instanceof Uint8Array && body.length > 0) sendInPieces(request, body);
    else request.end(body);
    return promise;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    this.#parts.close();
  }
}

/**
 * TLS encrypts all that it is given into memory of its own before any of it is sent. So it gets one piece
 * while the one before is being sent.
 */
const pieceBytes = 512 * 1024;
const piecesAhead = 2;

function sendInPieces(request: ClientRequest, body: Uint8Array): void {
  let givenBytes = 0;
  const giveOne = (failure?: Error | null): void => {
    if (failure instanceof Error) return;
    const piece = body.subarray(givenBytes, givenBytes + pieceBytes);
    if (piece.length === 0) return;
    givenBytes += piece.length;
    request.write(piece, giveOne);
    if (givenBytes === body.length) request.end();
  };
  for (let pieces = 0; pieces < piecesAhead; pieces += 1) giveOne();
}

async function* chunksOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield chunk;
  } catch (error: unknown) {
    signal.throwIfAborted();
    throw brokenConnection(error as Error);
  }
}
