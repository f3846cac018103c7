import type { IncomingMessage } from 'node:http';
import { BusyTime } from '../base/busy-time.js';
import { BadGatewayError } from '../base/errors.js';
import type { EarlyHead } from '../wire/early-head.js';
import type { Exchange } from '../wire/exchange.js';
import { processingIntervalHeader } from '../wire/signs-of-life.js';
import type { EventStreams } from '../wire/event-stream.js';
import { isEventStream, relayEvents } from './bodies/event-relay.js';
import { downloadBody } from './bodies/body-download.js';
import type { BufferLoan } from './buffers/buffer-loan.js';
import type { DaemonAgents } from '../daemons/daemon-agents.js';
import { clipExtents, ExtentsClip } from './bodies/extents-clip.js';
import { begunJobHeaders } from './upstream/begun-job.js';
import { nextPageLink, nextPageStart, pageParameters, queryOf } from '../wire/headers/page-link.js';
import { answerHead, type AnswerHead } from './upstream/daemon-answer.js';
import type { DaemonTimeouts } from '../daemons/daemon-timeouts.js';
import { DaemonRequest } from './upstream/daemon-request.js';
import type { RelayBufferPool } from './buffers/relay-buffer-pool.js';
import { relayedCapabilities } from './bodies/relayed-options.js';
import { readSmallBody, smallBodyBytesMax } from '../daemons/small-body.js';
import { relayedRequestHeaders } from './upstream/relayed-request.js';
import type { DaemonTarget } from '../daemons/ticket-url.js';
import { RequestOpener } from './upstream/request-opener.js';

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
  /** The request is for extents, which are told up to here; `Infinity` for all that the daemon tells. */
  readonly extentsEndBytes?: number | undefined;
  /** The daemon may work for as long as it takes before it answers. */
  readonly isLongWork?: boolean;
  /** Leaves while the daemon works and has sent none; undefined where a status is worth more. */
  readonly earlyHead?: EarlyHead | undefined;
  /** The client asked for the connection to be closed after the answer. */
  readonly closes?: boolean;
  /** The path by which the client knows the image. */
  readonly imagePath: string;
}

/** Signs of life that a daemon is asked for in the time that it may be silent: one or two may come late. */
const signsPerTimeout = 3;

/** Relays requests to daemons. Whether a client may send a request was decided before. */
export class RelayProxy {
  readonly #opener: RequestOpener;
  readonly #processingInterval: string;

  constructor(
    private readonly agents: DaemonAgents,
    private readonly bufferPool: RelayBufferPool,
    private readonly timeouts: DaemonTimeouts,
    private readonly eventStreams: EventStreams,
  ) {
    this.#opener = new RequestOpener(agents);
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
  async relay(exchange: Exchange, target: DaemonTarget, options: RelayOptions): Promise<void> {
    exchange.signal.throwIfAborted();
    const { ticket } = options;
    const buffers = ticket === undefined ? undefined : await this.bufferPool.lend(ticket, exchange.signal);
    try {
      await this.#relayThrough(buffers, exchange, target, options);
    } finally {
      options.earlyHead?.stop();
      buffers?.end();
    }
  }

  async #relayThrough(
    buffers: BufferLoan | undefined,
    exchange: Exchange,
    target: DaemonTarget,
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
      options.earlyHead?.stop();
      const head = answerHead(answer, exchange.request.method);
      if (exchange.response.headersSent) refuseLateRefusal(exchange, head);
      options.observer?.answered(answer);
      if (isEventStream(answer)) {
        if (options.closes === true) exchange.closeAfterResponse();
        await relayEvents(exchange, answer, { streams: this.eventStreams, silence: daemon.silence });
      } else await sendAnswer(exchange, { answer, head, daemon, buffers }, options);
    } finally {
      daemon.release();
    }
  }

  #send(
    exchange: Exchange,
    target: DaemonTarget,
    options: RelayOptions,
    buffers: BufferLoan | undefined,
  ): DaemonRequest {
    const headers = relayedRequestHeaders(exchange.request, exchange.requestId);
    headers[processingIntervalHeader] = this.#processingInterval;
    return new DaemonRequest(this.#opener.open(exchange, target, headers), exchange, {
      ...this.timeouts,
      isLongWork: options.isLongWork === true,
      onAsked: () => options.earlyHead?.start(),
      onSent: (chunk) => options.observer?.sent(chunk),
      buffers,
      waited: options.daemonTime ?? new BusyTime(),
    });
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
  headers.push(...begunJobHeaders(answer, options.imagePath));
  const { extentsEndBytes } = options;
  if (extentsEndBytes !== undefined) headers.push(...pageLink(exchange, answer, extentsEndBytes));
  const clip = extentsClip(exchange, answer, extentsEndBytes);
  const rewrite = rewriteOfWhole(answer, clip, options);
  if (rewrite !== undefined) {
    // A body as short as this is a few packets, so all of it has to arrive within the time
    // that the daemon may be silent.
    daemon.silence.watch();
    const body = rewrite(await readSmallBody(answer, signal));
    daemon.silence.rest();
    writeHead(exchange, status, withContentLength(headers, body.length), closes);
    response.end(body);
    return;
  }
  writeHead(exchange, status, clip === undefined ? headers : withoutBodyFields(headers), closes);
  await downloadBody(exchange, answer, {
    silence: daemon.silence,
    buffers: isLongAnswer(exchange, answer) ? buffers : undefined,
    rewrite: clip,
    onReceived: (lengthBytes) => observer?.received(lengthBytes),
  });
}

/**
 * Only a successful GET has a long body; the answer to an upload and every refusal are short. The body of a
 * short one, such as a block of a random read, takes less memory in the pieces in which it arrives.
 */
function isLongAnswer({ request }: Exchange, { headers, statusCode = 0 }: IncomingMessage): boolean {
  const { 'content-length': contentLength = Infinity } = headers;
  return request.method === 'GET' && statusCode < 300 && Number(contentLength) > smallBodyBytesMax;
}

/** Only a successful GET has a list of extents: a refusal has a problem instead, HEAD has no body. */
function extentsClip(
  { request }: Exchange,
  { headers, statusCode }: IncomingMessage,
  endBytes: number | undefined,
): ExtentsClip | undefined {
  if (endBytes === undefined || endBytes === Infinity) return undefined;
  if (statusCode !== 200 || request.method !== 'GET') return undefined;
  const asLines = headers['content-type']?.includes('ndjson') === true;
  return new ExtentsClip(endBytes, { startBytes: pageParameters(queryOf(request.url)).start, asLines });
}

/** The link to the next page, made anew: of what the daemon says only where that begins is believed. */
function pageLink({ request }: Exchange, { headers }: IncomingMessage, endBytes: number): readonly string[] {
  const nextBytes = nextPageStart(headers.link);
  const { start } = pageParameters(queryOf(request.url));
  const isNext = nextBytes !== undefined && nextBytes > start && nextBytes < endBytes;
  return isNext ? ['Link', nextPageLink(request.url, nextBytes)] : [];
}

/** How an answer is changed that is read as a whole; undefined for an answer that is streamed. */
function rewriteOfWhole(
  { headers }: IncomingMessage,
  clip: ExtentsClip | undefined,
  { isCapabilities }: RelayOptions,
): ((body: Buffer) => Buffer) | undefined {
  if (isCapabilities === true) return relayedCapabilities;
  const { 'content-length': contentLength = Infinity } = headers;
  if (clip === undefined || Number(contentLength) > smallBodyBytesMax) return undefined;
  return (body) => clipExtents(body, clip);
}

/** With Node's own reason phrase: a daemon's may have bytes that cannot be sent. */
function writeHead(exchange: Exchange, status: number, headers: string[], closes = false): void {
  if (exchange.response.headersSent) return;
  exchange.settleFraming();
  // A client that was refused access gets no further tries on the same connection (docs/protocol.md,
  // "Refusals").
  if (closes || status === 403) exchange.closeAfterResponse();
  exchange.response.writeHead(status, headers);
}

/** The client was told 200 by an early head, so that another status can only cut the answer. */
function refuseLateRefusal({ logFields }: Exchange, { status }: AnswerHead): void {
  if (status === 200) return;
  logFields['late_status'] = status;
  throw new BadGatewayError(`The host of the image answered with status ${status} after an early head`);
}

function withContentLength(headers: readonly string[], lengthBytes: number): string[] {
  return [...withoutBodyFields(headers), 'Content-Length', String(lengthBytes)];
}

/** Without what is true of the daemon's body only, which is being changed. */
function withoutBodyFields(headers: readonly string[]): string[] {
  return headers.flatMap((name, index) =>
    index % 2 === 0 && !bodyFields.has(name) ? [name, headers[index + 1] ?? ''] : [],
  );
}

const bodyFields: ReadonlySet<string> = new Set(['Content-Digest', 'Content-Length']);
