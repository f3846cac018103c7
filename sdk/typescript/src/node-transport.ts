import {
  Agent as HttpAgent,
  request as requestHttp,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { TransferError } from '../transfer/failure.js';
import type { HttpAnswer, HttpRequest, HttpTransport } from '../transfer/http.js';
import type { Endpoint } from './transport.js';

export interface NodeTransportOptions extends Endpoint {
  /** Takes any certificate: whoever is in the middle can read and change everything. */
  readonly insecure?: boolean;
  /**
   * How long the service may be silent: longer than it takes to zero, flush or hash as much as one request
   * asks for.
   */
  readonly silenceSeconds?: number;
}

const silenceSecondsDefault = 600;

/** Node's own client: over TLS, or over a unix socket. One piece of an image is one write, without a copy. */
export class NodeTransport implements HttpTransport {
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #isSecure: boolean;
  readonly #options: RequestOptions;

  constructor(private readonly options: NodeTransportOptions) {
    const { baseUrl, ca, socketPath, insecure = false } = options;
    const { protocol, hostname, port } = new URL(baseUrl);
    this.#isSecure = protocol === 'https:';
    const keepAlive = { keepAlive: true, noDelay: true };
    this.#agent = this.#isSecure
      ? new HttpsAgent({ ...keepAlive, ...(ca === undefined ? {} : { ca }), rejectUnauthorized: !insecure })
      : new HttpAgent(keepAlive);
    const place = socketPath === undefined ? { host: bare(hostname), port } : { socketPath };
    this.#options = { ...place, agent: this.#agent };
  }

  send({ method, path, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const { headers: common, silenceSeconds = silenceSecondsDefault } = this.options;
    const start = this.#isSecure ? requestHttps : requestHttp;
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const all = { ...common, ...headers, ...length };
    const request = start({ ...this.#options, method, path, headers: all, signal });
    request.setTimeout(silenceSeconds * 1000, () => {
      request.destroy(new Error(`The service was silent for ${silenceSeconds} seconds`));
    });
    request.once('response', (response) => {
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

/** Certificates that cannot be verified stay so, however often it is tried. */
const finalCodes = /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_)/;

function brokenConnection(error: Error): TransferError {
  const { code = '' } = error as NodeJS.ErrnoException;
  return new TransferError(
    `The connection to the service failed: ${error.message}`,
    { retryable: !finalCodes.test(code) },
    { cause: error },
  );
}

/** As a socket takes it: an IPv6 address without its brackets. */
function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
