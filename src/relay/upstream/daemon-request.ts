import type { ClientRequest, IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Socket } from 'node:net';
import type { BusyTime } from '../../base/busy-time.js';
import { GatewayTimeoutError, ServiceError } from '../../base/errors.js';
import type { Exchange } from '../../wire/exchange.js';
import { BodyUpload } from '../bodies/body-upload.js';
import type { BufferLoan } from '../buffers/buffer-loan.js';
import { daemonFailure } from '../../daemons/daemon-failure.js';
import type { DaemonTimeouts } from '../../daemons/daemon-timeouts.js';
import { InterimAnswers } from '../../daemons/interim-answers.js';
import { closeByReset, unacknowledgedBytes } from '../../node-internals/socket-descriptor.js';
import { expectsContinue, relaysBody } from './relayed-request.js';
import { SilenceTimer } from '../../daemons/silence-timer.js';
import { errorCode } from '../../base/error-details.js';

export interface DaemonRequestOptions extends DaemonTimeouts {
  /** The daemon works for as long as it takes before it answers: it writes, zeroes, flushes, reads it all. */
  readonly isLongWork: boolean;
  /** Called when the connection is there: from now on it is the daemon that is waited for. */
  readonly onAsked: () => void;
  readonly onSent: (chunk: Buffer) => void;
  /** The memory that a long body passes through. */
  readonly buffers: BufferLoan | undefined;
  /** Adds up how long the daemon was waited for. */
  readonly waited: BusyTime;
}

/** Where a connection that was kept too long shows that the daemon had closed it. */
const staleCodes = new Set(['ECONNRESET', 'EPIPE']);

/** Repeating them does no more than doing them once (RFC 9110 section 9.2.2). */
const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT']);

/**
 * One request on its way to a daemon: waits for the connection, sends the body and hands out the answer,
 * each within its time. Whatever goes wrong, it ends here: the request to the daemon is aborted as soon as
 * the exchange aborts, the body breaks or a time is over.
 */
export class DaemonRequest {
  readonly silence: SilenceTimer;
  /** The head of the daemon's answer; rejects with what the client should be told. */
  readonly answer: Promise<IncomingMessage>;
  readonly #upload: BodyUpload | undefined;
  #failure: unknown;
  /** Why the body can never be whole. */
  #broken: Error | undefined;
  readonly #interim = new InterimAnswers();
  #answered = false;

  constructor(
    private readonly upstream: ClientRequest,
    private readonly exchange: Exchange,
    private readonly options: DaemonRequestOptions,
  ) {
    const { readTimeoutSeconds, waited } = options;
    this.silence = new SilenceTimer(readTimeoutSeconds, waited, () => {
      this.abort(new GatewayTimeoutError('The host of the image did not answer in time'));
    });
    if (relaysBody(exchange.request)) {
      this.#upload = new BodyUpload(exchange, upstream, {
        silence: this.silence,
        buffers: options.buffers,
        onSent: options.onSent,
        onWhole: () => {
          this.#awaitWork();
        },
        onBroken: (reason) => {
          this.#broken = reason;
        },
      });
    }
    this.answer = this.#awaitAnswer();
    exchange.signal.addEventListener('abort', this.#onAbort);
    this.#awaitInterimAnswers();
    this.#awaitConnection();
    if (exchange.signal.aborted) this.#onAbort();
    else if (this.#upload === undefined) this.#endWithoutBody();
  }

  /**
   * The daemon closed a kept connection before it can have seen the request, so that it
   * is safe to send it again.
   */
  get isStale(): boolean {
    const sentBytes = this.#upload?.sentBytes ?? 0;
    return (
      this.upstream.reusedSocket &&
      !this.#answered &&
      !this.#interim.any &&
      sentBytes === 0 &&
      staleCodes.has(errorCode(this.#failure) ?? '') &&
      idempotentMethods.has(this.upstream.method)
    );
  }

  /** Cuts the request to the daemon, so that it sees at once that nobody waits for its answer. */
  abort(reason: Error): void {
    const { upstream } = this;
    // The connection of a request that is complete is back with the agent, for others.
    if (upstream.socket !== null && !upstream.destroyed) closeByReset(upstream.socket);
    upstream.destroy(reason);
  }

  /**
   * The answer was used, or will not be: an unfinished request is cut, a finished one
   * leaves its connection for the next.
   */
  release(): void {
    this.exchange.signal.removeEventListener('abort', this.#onAbort);
    this.#upload?.stop();
    this.silence.rest();
    // Does nothing to a request that is complete: its connection is back with the agent.
    this.upstream.destroy();
  }

  async #awaitAnswer(): Promise<IncomingMessage> {
    const { upstream } = this;
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        upstream.once('response', (response) => {
          this.#answered = true;
          this.#awaitBody();
          this.#endUpload();
          // The daemon wrote the part that it got. What is wrong with the whole is better known here.
          if (this.#broken !== undefined && response.statusCode === 400) reject(this.#broken);
          else resolve(response);
        });
        upstream.once('error', reject);
        // The last resort: an answer that switches protocols closes without an error.
        upstream.once('close', () => {
          reject(new Error('The request to the daemon was closed'));
        });
      });
    } catch (error: unknown) {
      this.#failure = error;
      throw daemonFailure(error instanceof ServiceError ? error : (this.#broken ?? error));
    } finally {
      this.silence.rest();
    }
  }

  /**
   * After an early answer the rest of the body is of no use to anybody. A daemon that has answered before it
   * got all of the body may never read the rest, and behind that no later request, so the connection is for
   * no other, even when all was handed to the kernel. A daemon that has received everything acknowledges
   * the last byte with its answer.
   */
  #endUpload(): void {
    const { upstream } = this;
    if (this.#upload === undefined) return;
    this.#upload.stop();
    if (upstream.socket === null) return;
    if (upstream.writableEnded && unacknowledgedBytes(upstream.socket) === 0) return;
    upstream.shouldKeepAlive = false;
  }

  /** Everything was sent, and only the daemon can end what was asked for. */
  #awaitWork(): void {
    const { isLongWork, readTimeoutSeconds, operationTimeoutSeconds } = this.options;
    if (isLongWork) this.silence.limitSeconds = Math.max(readTimeoutSeconds, operationTimeoutSeconds);
  }

  /** Where there is nothing to upload, the body of the answer is what the daemon works for. */
  #awaitBody(): void {
    if (this.#upload === undefined) this.#awaitWork();
    else this.silence.limitSeconds = this.options.readTimeoutSeconds;
  }

  /** None of them goes on to the client: the proxy says 100 itself, and to none but who asked for it. */
  #awaitInterimAnswers(): void {
    this.upstream.on('information', ({ statusCode }) => {
      const tooMany = this.#interim.add();
      if (tooMany !== undefined) this.abort(tooMany);
      else if (statusCode === 102) this.silence.renew();
    });
  }

  #awaitConnection(): void {
    const { upstream } = this;
    upstream.once('socket', (socket: Socket) => {
      if (upstream.reusedSocket) this.#connected();
      else this.#awaitHandshake(socket);
    });
  }

  #awaitHandshake(socket: Socket): void {
    const { upstream, options } = this;
    const timer = setTimeout(() => {
      this.abort(new GatewayTimeoutError('The host of the image did not accept the connection in time'));
    }, options.connectTimeoutSeconds * 1000);
    options.waited.enter();
    let waiting = true;
    const waitedEnough = (): void => {
      if (!waiting) return;
      waiting = false;
      options.waited.leave();
      clearTimeout(timer);
    };
    upstream.once('close', waitedEnough);
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
      waitedEnough();
      this.#connected();
    });
  }

  #connected(): void {
    const { upstream, exchange } = this;
    if (upstream.destroyed) return;
    this.silence.watch();
    this.options.onAsked();
    upstream.once('finish', () => {
      // From the last byte on; until then `BodyUpload` says who is waited for.
      if (!this.#answered) this.silence.watch();
    });
    if (this.#upload === undefined) return;
    if (expectsContinue(exchange.request)) {
      upstream.once('continue', () => {
        exchange.readyForBody();
        this.#upload?.start();
      });
    } else {
      this.#upload.start();
    }
    // A daemon can refuse by the head alone, before the client sends anything else.
    upstream.flushHeaders();
  }

  #endWithoutBody(): void {
    const { upstream } = this;
    this.#awaitWork();
    // Node would say `Content-Length: 0` where the client said nothing, which makes a difference to a PUT.
    if (upstream.getHeader('content-length') === undefined) {
      upstream.removeHeader('content-length');
      upstream.removeHeader('transfer-encoding');
    }
    upstream.end();
  }

  readonly #onAbort = (): void => {
    this.abort(this.exchange.signal.reason as Error);
  };
}
