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
  /** Whose share of the buffers a long body takes; undefined for a request whose bodies are both short. */
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
 * Relays requests to daemons. It knows nothing of who may: that was decided before.
 *
 * http-proxy makes the request to the daemon and nothing else. Its own way of moving bodies and watching
 * over the two sides leaves requests running for clients that left, clients waiting for daemons that died,
 * early answers lost and bodies of one request taken for another, so `DaemonRequest` and `downloadBody` do
 * that.
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

  /** Where the authorities come from that daemons are believed by. */
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
    // All of it within the time for a silence: it is a few packets.
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
    // What is said about an upload, and every refusal, is short.
    buffers: exchange.request.method === 'GET' && status < 300 ? buffers : undefined,
    rewrite: endBytes === undefined ? undefined : new ExtentsClip(endBytes),
    onReceived: (lengthBytes) => observer?.received(lengthBytes),
  });
}

/** A refusal is no list, and the answer to HEAD has none. */
function isExtents({ request }: Exchange, status: number): boolean {
  return status === 200 && request.method === 'GET';
}

/** What becomes of an answer that is read whole; undefined for one that passes by. */
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
 * What http-proxy gets to see of a request: not the client's own, which it would change, listen to and pipe
 * into the request to the daemon. This one keeps hold of that instead.
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
