import type { IncomingMessage, ServerResponse } from 'node:http';
import { ClientGoneError, DamagedBodyError } from '../base/errors.js';
import { BusyTime } from '../base/busy-time.js';
import { describeError } from '../log/logger.js';
import type { Audience } from './audience.js';
import type { ClientConnection, RunningExchange } from './client-connection.js';
import { clientAddressOf } from './client-network.js';
import { errorResponse, isRetryable } from './error-response.js';
import type { RecordSink } from './record-sink.js';
import { requestIdHeader, requestIdOf } from './headers/request-id.js';
import { addStandingHeader } from '../base/standing-headers.js';
import { asksForReceived } from './headers/upload-parallel.js';
import { showSignsOfLife } from './signs-of-life.js';

/**
 * The property of a request that holds its exchange. A WeakMap would do the same, but costs memory: V8's
 * quick collections, of young objects only, treat all values of an old WeakMap as alive. Every finished
 * request, with all that belongs to it, would stay in memory until the next collection of the whole heap.
 */
const exchangeOf = Symbol('exchange');

type ReceivedRequest = IncomingMessage & { [exchangeOf]?: Exchange };

/** What the log record of a request says besides method and status: transfer, range, bytes. */
export type LogFields = Record<string, string | number | boolean>;

/** The log record of a request, and the id by which other records tell that they belong to it. */
export interface RequestLog {
  readonly requestId: string;
  readonly logFields: LogFields;
}

/** What answers to a request tell besides what they are about. */
export interface AnswerSupplement {
  readonly headers: Readonly<Record<string, string>>;
  /** Of problem details. */
  readonly members: Readonly<Record<string, unknown>>;
}

export interface ExchangeOptions {
  /** The client wants to hear `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
  /** The name of the listener that the request came in at. */
  readonly listener: string;
  /** Where its log records go while it has shown no ticket. */
  readonly strangerRecords: RecordSink;
  /** When a client that gets 503 should try again, unless what failed tells better. */
  readonly retryAfterSeconds: number;
}

/**
 * One request and its response on a client connection. It is made before any routing, so that everything
 * that can answer (Nest, a transfer that writes its own response, the handler of parser errors) agrees on who
 * waits for whom and on how the connection ends.
 */
export class Exchange implements RunningExchange, RequestLog {
  readonly #controller = new AbortController();
  readonly #clientTime = new BusyTime();
  #waits = 0;
  #expectsContinue: boolean;
  #bodyBroken: Error | undefined;
  #onDrain: (() => void) | undefined;
  #supplement: (() => AnswerSupplement) | undefined;
  #work: Promise<void> = Promise.resolve();
  readonly logFields: LogFields = {};
  readonly startedAt = performance.now();
  readonly listener: string;
  readonly strangerRecords: RecordSink;
  readonly #retryAfterSeconds: number;
  /** Finds the lines of one request in the logs of both proxy and daemon. */
  readonly requestId: string;
  /**
   * The client's address, copied from the socket, which forgets it on closing. Undefined for unix sockets.
   */
  readonly clientAddress: string | undefined;
  /** The pattern of the route, without the ids of this request; undefined while it was not routed. */
  route: string | undefined;
  /** Whose routes the request can reach. */
  audience: Audience = 'network';
  /**
   * The request is one that clients repeat to watch something: when it succeeds it is logged for debugging
   * only.
   */
  polled = false;
  /** The service or its storage failed, which operators want to see: its log record is an error. */
  failed = false;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly connection: ClientConnection,
    options: ExchangeOptions,
  ) {
    this.#expectsContinue = options.expectsContinue;
    this.listener = options.listener;
    this.strangerRecords = options.strangerRecords;
    this.#retryAfterSeconds = options.retryAfterSeconds;
    this.clientAddress = clientAddressOf(request.socket);
    this.requestId = requestIdOf(request);
    addStandingHeader(response, requestIdHeader, this.requestId);
    (request as ReceivedRequest)[exchangeOf] = this;
    connection.begin(this);
    response.once('close', () => {
      connection.end(this);
      if (!response.writableFinished) this.abort(new ClientGoneError());
    });
  }

  static of(request: IncomingMessage): Exchange {
    const { [exchangeOf]: exchange } = request as ReceivedRequest;
    if (exchange === undefined) throw new Error('The request did not come through one of our listeners');
    return exchange;
  }

  /** A ticket or session was found for it, so that its log record names a transfer. */
  get namesTransfer(): boolean {
    return this.logFields['transfer_id'] !== undefined;
  }

  /**
   * Aborted when the client is gone or silent for too long, or when the service stops. The reason of the
   * signal is the error to answer with.
   */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /**
   * Has `listener` called when the service begins to stop: for work that would go on for as long as the
   * client wants, and that a stop should not wait for.
   */
  onDrain(listener: () => void): void {
    this.#onDrain = listener;
  }

  drain(): void {
    this.#onDrain?.();
  }

  /**
   * Does `work` for the request, which may go on a little after the response has ended. It must not reject.
   */
  async do(work: () => Promise<void>): Promise<void> {
    this.#work = work();
    await this.#work;
  }

  /** Resolves when nothing is done for the request any more, so that `logFields` are complete. */
  async workEnded(): Promise<void> {
    await this.#work;
  }

  /** Sends signs of life to a peer that asked for them. @returns ends them; idempotent */
  showSignsOfLife(): () => void {
    return showSignsOfLife(this);
  }

  /** The request announces a body that is not wholly received. */
  get bodyPending(): boolean {
    const { headers, complete } = this.request;
    if (complete) return false;
    if (headers['transfer-encoding'] !== undefined) return true;
    return headers['content-length'] !== undefined && headers['content-length'] !== '0';
  }

  /**
   * True while progress depends on the client, which has to send or to read. While it is false, a silent
   * socket means that the service itself is busy.
   */
  get waitsForClient(): boolean {
    return this.#waits > 0 || this.response.writableEnded;
  }

  /** Waits for something that only the client can make happen. */
  async waitForClient<T>(promise: Promise<T>): Promise<T> {
    this.#waits++;
    this.#clientTime.enter();
    try {
      return await promise;
    } finally {
      this.#clientTime.leave();
      this.#waits--;
    }
  }

  /** How long the client was waited for until now, to send or to read. */
  get clientSeconds(): number {
    return this.#clientTime.seconds;
  }

  /**
   * Tells a client that asked `Expect: 100-continue` to send its body. Called once everything that can be
   * refused was checked.
   */
  readyForBody(): void {
    if (!this.#expectsContinue) return;
    this.#expectsContinue = false;
    this.response.writeContinue();
  }

  /** The body can never be completed as promised: the parser met garbage, or the client half-closed. */
  get bodyBroken(): Error | undefined {
    return this.#bodyBroken;
  }

  breakBody(reason: Error): void {
    this.#bodyBroken ??= reason;
    this.request.emit('body-broken');
  }

  clientEnded(): void {
    if (this.bodyPending) this.breakBody(new DamagedBodyError('Request body is shorter than promised'));
  }

  /**
   * To be called before the head of any response is written: makes sure that a request whose body was not
   * read to its end is the last one of its connection, so that unread bytes are never taken for the next
   * request.
   */
  settleFraming(): void {
    if (!this.bodyPending && this.#bodyBroken === undefined) return;
    this.closeAfterResponse();
  }

  /** Makes this response the last one on its connection. */
  closeAfterResponse(): void {
    if (this.response.headersSent) return;
    this.response.setHeader('Connection', 'close');
    if (this.bodyPending || this.#bodyBroken !== undefined) this.connection.lingerAfterResponse(this.request);
  }

  /** Has whatever the answer becomes tell what `supplement` says at its time. */
  supplementAnswer(supplement: () => AnswerSupplement): void {
    this.#supplement = supplement;
  }

  /**
   * Sends a whole response. `Content-Length` is always said, 0 without a body, but for 204, which may not
   * have it (RFC 9110 section 8.6).
   */
  send(status: number, headers: Readonly<Record<string, string>> = {}, body: string | Uint8Array = ''): void {
    this.#writeHead(status, headers, Buffer.byteLength(body));
    this.response.end(this.request.method === 'HEAD' ? undefined : body);
  }

  /** The same for a long body of a GET, whose pieces are not copied into one. */
  sendPieces(status: number, headers: Readonly<Record<string, string>>, pieces: readonly Uint8Array[]): void {
    this.#writeHead(
      status,
      headers,
      pieces.reduce((sum, { length }) => sum + length, 0),
    );
    for (const piece of pieces) this.response.write(piece);
    this.response.end();
  }

  #writeHead(status: number, headers: Readonly<Record<string, string>>, lengthBytes: number): void {
    this.settleFraming();
    this.response.writeHead(status, {
      ...headers,
      ...this.#supplement?.().headers,
      ...(status === 204 ? {} : { 'Content-Length': String(lengthBytes) }),
    });
  }

  /**
   * Answers with the status and text that `error` stands for. When a response has already begun, the
   * connection is cut instead, so that the client sees a body that is too short. It is also cut when writing
   * the answer fails, because otherwise the client would wait for ever.
   */
  fail(error: unknown): void {
    if (this.connection.closed) return;
    if (this.response.headersSent) {
      this.connection.destroy();
      return;
    }
    try {
      const { status, headers, body, closes } = errorResponse(error, {
        accept: this.request.headers.accept,
        retryAfterSeconds: this.#retryAfterSeconds,
        members: this.#membersOf(error),
      });
      if (closes) this.closeAfterResponse();
      this.send(status, headers, body);
    } catch (failure: unknown) {
      this.logFields['answering'] = describeError(failure);
      this.connection.destroy();
    }
  }

  #membersOf(error: unknown): Readonly<Record<string, unknown>> {
    const { members } = this.#supplement?.() ?? {};
    return asksForReceived(this.request) ? { ...members, retryable: isRetryable(error) } : { ...members };
  }
}
