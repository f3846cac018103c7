import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { BusyTime } from '../base/busy-time.js';
import { GatewayTimeoutError, ServiceError } from '../base/errors.js';
import { KiB } from '../base/units.js';
import { daemonFailure } from './daemon-failure.js';
import type { DaemonTimeouts } from './daemon-timeouts.js';
import { InterimAnswers } from './interim-answers.js';
import { SilenceTimer } from './silence-timer.js';

/**
 * TLS encrypts all that it is given before any of it is sent: a whole buffer for each of several requests
 * would be in memory twice.
 */
const stepBytes = 256 * KiB;

/** One request of this service to another daemon, and how long each part of it may take. */
export class RunningCall {
  readonly #silence: SilenceTimer;
  readonly #interim = new InterimAnswers();
  /** The head of the answer. */
  readonly answer: Promise<IncomingMessage>;
  #isAnswered = false;
  #cutFor: ServiceError | undefined;

  /** @param body is not changed before the answer is there */
  constructor(
    private readonly request: ClientRequest,
    private readonly body: Uint8Array | undefined,
    private readonly timeouts: DaemonTimeouts,
  ) {
    this.#silence = new SilenceTimer(timeouts.readTimeoutSeconds, new BusyTime(), () => {
      this.cut(new GatewayTimeoutError('The host of the image did not answer in time'));
    });
    this.answer = this.#awaitAnswer();
    request.once('socket', (socket: Socket) => {
      this.#awaitConnection(socket);
    });
    request.on('information', () => {
      const tooMany = this.#interim.add();
      if (tooMany === undefined) this.heard();
      else this.cut(tooMany);
    });
    request.once('finish', () => {
      // From the last byte on only the daemon can end what was asked for.
      if (this.#isAnswered) return;
      this.#silence.limitSeconds = Math.max(timeouts.readTimeoutSeconds, timeouts.operationTimeoutSeconds);
    });
    this.#send(0);
  }

  /** The daemon has given a sign of life: its time starts anew. */
  heard(): void {
    this.#silence.renew();
  }

  /** Ends it at once; whoever waits for it gets `reason`. */
  cut(reason: ServiceError): void {
    this.#cutFor ??= reason;
    this.request.destroy(reason);
  }

  /** What it means that something of it failed with `error`. */
  failure(error: unknown): ServiceError {
    // What broke the connection says more than that it was broken.
    return this.#cutFor ?? (error instanceof ServiceError ? error : daemonFailure(error));
  }

  /** Cuts what is not complete; what is has left its connection for the next. */
  end(): void {
    this.#silence.rest();
    this.request.destroy();
  }

  #awaitAnswer(): Promise<IncomingMessage> {
    const { request } = this;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request.once('response', (answer) => {
      this.#isAnswered = true;
      this.#silence.limitSeconds = this.timeouts.readTimeoutSeconds;
      resolve(answer);
    });
    request.on('error', reject);
    request.once('close', () => {
      reject(new Error('The request to the daemon was closed'));
    });
    return promise;
  }

  #awaitConnection(socket: Socket): void {
    const { request } = this;
    const connected = (): void => {
      if (!request.destroyed) this.#silence.watch();
    };
    if (request.reusedSocket) {
      connected();
      return;
    }
    const timer = setTimeout(() => {
      this.cut(new GatewayTimeoutError('The host of the image did not accept the connection in time'));
    }, this.timeouts.connectTimeoutSeconds * 1000);
    request.once('close', () => {
      clearTimeout(timer);
    });
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      connected();
    });
  }

  #send(atBytes: number): void {
    const { request, body } = this;
    const piece = body?.subarray(atBytes, atBytes + stepBytes);
    const endBytes = atBytes + (piece?.length ?? 0);
    if (piece === undefined || endBytes === body?.length) {
      request.end(piece);
      return;
    }
    request.write(piece, (error) => {
      this.heard();
      // A failure is heard of at the request. After an early answer the rest is of no use to anybody.
      if ((error ?? undefined) === undefined && !this.#isAnswered) this.#send(endBytes);
    });
  }
}
