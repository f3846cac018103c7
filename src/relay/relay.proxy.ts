import { EventEmitter } from 'node:events';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import httpProxy from 'http-proxy';
import { BusyTime } from '../base/busy-time.js';
import type { Exchange } from '../wire/exchange.js';
import { processingIntervalHeader } from '../wire/signs-of-life.js';
import { downloadBody } from './bodies/body-download.js';
import type { BufferLoan } from './buffers/buffer-loan.js';
import type { DaemonAgents } from './upstream/daemon-agents.js';
import { clipExtents, ExtentsClip } from './bodies/extents-clip.js';
import { answerHead, type AnswerHead } from './upstream/daemon-answer.js';
import { DaemonRequest, type DaemonTimeouts } from './upstream/daemon-request.js';
import type { RelayBufferPool } from './buffers/relay-buffer-pool.js';
import { withoutUnixSocket } from './bodies/relayed-options.js';
import { readSmallBody, smallBodyBytesMax } from './bodies/small-body.js';
import { relayedRequestHeaders } from './upstream/relayed-request.js';

/** What a daemon is asked for. */
export interface RelayTarget {
  /** Scheme, host and port of the daemon. */
  readonly origin: URL;
  /** Path and query, percent-encoded. */
  readonly path: string;
}

/** Who wants to know what passes through. */
export interface RelayObserver {
  /**
   * A piece of the request body was handed to the daemon's connection. Its memory is
   * not the observer's to keep.
   */
  sent(chunk: Buffer): void;
  /** The daemon answered. */
  answered(response: IncomingMessage): void;
  /** A piece of the answer's body was handed to the client's connection. */
  received(lengthBytes: number): void;
}

export interface RelayOptions {
  readonly observer?: RelayObserver | undefined;
  /**
   * The ticket whose share of the buffers a long body takes; undefined when neither
   * body of the request is long.
   */
  readonly ticket?: string | undefined;
  /** Adds up how long the daemon was waited for. */
  readonly daemonTime?: BusyTime;
  /**
   * The request is for the capabilities of an image, which are told without the socket
   * of the daemon's host.
   */
  readonly isCapabilities?: boolean;
  /** The request is for extents, which are told up to here. */
  readonly extentsEndBytes?: number | undefined;
  /** The daemon may work for as long as it takes before it answers. */
  readonly isLongWork?: boolean;
  /** The client asked for the connection to be closed after the answer. */
  readonly closes?: boolean;
}

/** Signs of life that a daemon is asked for in the time that it may be silent: one or two may come late. */
const signsPerTimeout = 3;

/**
 * Relays requests to daemons. Whether a client may send a request was decided before.
 *
 * Of http-proxy only the making of the request to the daemon is used. With its own way of moving bodies,
 * requests go on after their client has left, clients wait for daemons that have died, early answers are
 * lost, and the rest of one body can be taken for the next request. So `DaemonRequest` and
 * `downloadBody` move the bodies.
 */
export class RelayProxy {
  readonly #proxy = httpProxy.createProxyServer({ selfHandleResponse: true, secure: true });

  readonly #processingInterval: string;

  constructor(
    private readonly agents: DaemonAgents,
    private readonly bufferPool: RelayBufferPool,
    private readonly timeouts: DaemonTimeouts,
  ) {
    const seconds = Math.floor(timeouts.readTimeoutSeconds / signsPerTimeout);
    this.#processingInterval = String(Math.max(1, seconds));
  }

  /** The option and file of the authorities that the certificates of daemons are verified with. */
  get authoritiesSource(): string {
    return this.agents.authoritiesSource;
  }

  /**
   * Sends the request of `exchange` to the daemon and its answer back, both streaming. Resolves when the
   * answer was sent. The signal of the exchange cuts both sides; its reason is the answer, if there is none
   * yet. For long bodies it waits for a buffer before it asks the daemon.
   * @throws UnavailableError when there is no buffer; BadGatewayError, UnavailableError or
   *   GatewayTimeoutError when the daemon fails, InvalidRequestError when the request's body breaks off,
   *   the reason of the signal. Once the head of the answer is out the response is then incomplete.
   */
  async relay(exchange: Exchange, target: RelayTarget, options: RelayOptions): Promise<void> {
    exchange.signal.throwIfAborted();
    const { ticket } = options;
    const buffers = ticket === undefined ? undefined : await this.bufferPool.lend(ticket, exchange.signal);
    try {
      await this.#relayThrough(buffers, exchange, target, options);
    } finally {
      buffers?.end();
    }
  }

  async #relayThrough(
    buffers: BufferLoan | undefined,
    exchange: Exchange,
    target: RelayTarget,
    options: RelayOptions,
  ): Promise<void> {
    let daemon = this.#send(exchange, target, options, buffers);
    try {
      let answer: IncomingMessage;
      try {
        answer = await daemon.answer;
      } catch (error: unknown) {
        if (!daemon.isStale) throw error;
        daemon.release();
        daemon = this.#send(exchange, target, options, buffers);
        answer = await daemon.answer;
      }
      const head = answerHead(answer, exchange.request.method);
      options.observer?.answered(answer);
      await sendAnswer(exchange, { answer, head, daemon, buffers }, options);
    } finally {
      daemon.release();
    }
  }

  #send(
    exchange: Exchange,
    target: RelayTarget,
    options: RelayOptions,
    buffers: BufferLoan | undefined,
  ): DaemonRequest {
    const headers = relayedRequestHeaders(exchange.request, exchange.requestId);
    headers[processingIntervalHeader] = this.#processingInterval;
    return new DaemonRequest(this.#open(exchange, target, headers), exchange, {
      ...this.timeouts,
      isLongWork: options.isLongWork === true,
      onSent: (chunk) => options.observer?.sent(chunk),
      buffers,
      waited: options.daemonTime ?? new BusyTime(),
    });
  }

  /** Makes the request to the daemon. Nothing of it is sent yet. */
  #open(
    { request, response }: Exchange,
    { origin, path }: RelayTarget,
    headers: OutgoingHttpHeaders,
  ): ClientRequest {
    const { protocol } = origin;
    // Node wants IPv6 addresses as they are, without the brackets of a URL.
    const hostname = origin.hostname.replace(/^\[|\]$/g, '');
    const outline = new RequestOutline(request, path, headers);
    withoutDeprecationWarnings(() => {
      this.#proxy.web(
        outline as unknown as IncomingMessage,
        response,
        {
          target: {
            protocol,
            host: hostname,
            hostname,
            port: Number(origin.port || (protocol === 'https:' ? 443 : 80)),
          },
          agent: this.agents.of(protocol),
          // The path as it is: http-proxy would parse it and write it anew.
          toProxy: true,
          prependPath: false,
        },
        // Errors are heard of at the request itself.
        () => undefined,
      );
    });
    if (outline.relayed === undefined) throw new Error('http-proxy made no request');
    return outline.relayed;
  }
}

interface DaemonAnswer {
  readonly answer: IncomingMessage;
  readonly head: AnswerHead;
  readonly daemon: DaemonRequest;
  readonly buffers: BufferLoan | undefined;
}

async function sendAnswer(
  exchange: Exchange,
  { answer, head: { status, headers }, daemon, buffers }: DaemonAnswer,
  options: RelayOptions,
): Promise<void> {
  const { response, signal } = exchange;
  const { observer, closes } = options;
  const endBytes = isExtents(exchange, status) ? options.extentsEndBytes : undefined;
  const rewrite = rewriteOfWhole(answer, endBytes, options);
  if (rewrite !== undefined) {
    // A body as short as this is a few packets, so all of it has to arrive within the time
    // that the daemon may be silent.
    daemon.silence.watch();
    const body = rewrite(await readSmallBody(answer, signal));
    daemon.silence.rest();
    prepareHead(exchange, status, closes);
    response.writeHead(status, withContentLength(headers, body.length)).end(body);
    return;
  }
  prepareHead(exchange, status, closes);
  // With Node's own reason phrase: a daemon's may have bytes that cannot be sent.
  response.writeHead(status, endBytes === undefined ? headers : withoutContentLength(headers));
  await downloadBody(exchange, answer, {
    silence: daemon.silence,
    // Only a successful GET has a long body; the answer to an upload and every refusal are short.
    buffers: exchange.request.method === 'GET' && status < 300 ? buffers : undefined,
    rewrite: endBytes === undefined ? undefined : new ExtentsClip(endBytes),
    onReceived: (lengthBytes) => observer?.received(lengthBytes),
  });
}

/** Only a successful GET has a list of extents: a refusal has a problem instead, HEAD has no body. */
function isExtents({ request }: Exchange, status: number): boolean {
  return status === 200 && request.method === 'GET';
}

/** How an answer is changed that is read as a whole; undefined for an answer that is streamed. */
function rewriteOfWhole(
  { headers }: IncomingMessage,
  extentsEndBytes: number | undefined,
  { isCapabilities }: RelayOptions,
): ((body: Buffer) => Buffer) | undefined {
  if (isCapabilities === true) return withoutUnixSocket;
  const { 'content-length': contentLength = Infinity } = headers;
  if (extentsEndBytes === undefined || Number(contentLength) > smallBodyBytesMax) return undefined;
  return (body) => clipExtents(body, extentsEndBytes);
}

function prepareHead(exchange: Exchange, status: number, closes = false): void {
  exchange.settleFraming();
  // A client that was refused access gets no further tries on the same connection (docs/protocol.md,
  // "Refusals").
  if (closes || status === 403) exchange.closeAfterResponse();
}

function withContentLength(headers: readonly string[], lengthBytes: number): string[] {
  return [...withoutContentLength(headers), 'Content-Length', String(lengthBytes)];
}

function withoutContentLength(headers: readonly string[]): string[] {
  return headers.flatMap((name, index) =>
    index % 2 === 0 && name.toLowerCase() !== 'content-length' ? [name, headers[index + 1] ?? ''] : [],
  );
}

/**
 * Stands in for the client's request at http-proxy, which would change the request it is given,
 * listen to it and pipe it into the request to the daemon. Where http-proxy pipes, this object only
 * remembers the request to the daemon.
 */
class RequestOutline extends EventEmitter {
  readonly method: string | undefined;
  readonly socket: Socket;
  relayed: ClientRequest | undefined;

  constructor(
    { method, socket }: IncomingMessage,
    readonly url: string,
    readonly headers: OutgoingHttpHeaders,
  ) {
    super();
    this.method = method;
    this.socket = socket;
  }

  pipe(relayed: ClientRequest): void {
    this.relayed = relayed;
  }
}

/**
 * http-proxy copies its options with `util._extend`, of which Node warns; operators
 * would read it as a fault of theirs.
 */
function withoutDeprecationWarnings(work: () => void): void {
  const { noDeprecation = false } = process;
  process.noDeprecation = true;
  try {
    work();
  } finally {
    // Set back, not deleted: that would make every later look at `process` slow.
    process.noDeprecation = noDeprecation;
  }
}
