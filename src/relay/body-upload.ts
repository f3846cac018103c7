import type { ClientRequest } from 'node:http';
import type { Exchange } from '../http/exchange.js';
import { releaseMemory } from '../http/release-memory.js';
import { ClientWait } from './client-wait.js';
import type { SilenceTimer } from './silence-timer.js';

export interface BodyUploadOptions {
  /** Of the daemon: it rests while the client is waited for. */
  readonly silence: SilenceTimer;
  /** Called with each piece that was handed to the daemon's connection, in order. Its memory is freed afterwards. */
  readonly onSent: (chunk: Buffer) => void;
  /** The body will never be whole. */
  readonly onBroken: (reason: Error) => void;
}

/**
 * Sends a request body on to the daemon while it arrives, as fast as the slower side goes: a client is not read from while the daemon
 * does not take more, so memory holds what the two sockets buffer and nothing else.
 */
export class BodyUpload {
  readonly #client: ClientWait;
  #running = false;
  #sentBytes = 0;
  /** Written and not yet taken by the kernel, oldest first. */
  readonly #inFlight: Buffer<ArrayBuffer>[] = [];

  constructor(
    private readonly exchange: Exchange,
    private readonly upstream: ClientRequest,
    private readonly options: BodyUploadOptions,
  ) {
    this.#client = new ClientWait(exchange);
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  start(): void {
    const { request, bodyBroken } = this.exchange;
    if (bodyBroken !== undefined) {
      this.options.onBroken(bodyBroken);
      return;
    }
    if (request.readableEnded) {
      // An empty body, which an earlier try has read to its end.
      this.upstream.end();
      return;
    }
    this.#running = true;
    this.#waitForClient();
    this.upstream.on('drain', this.#onDrain);
    request.once('end', this.#onEnd);
    request.once('body-broken', this.#onBroken);
    request.on('data', this.#onData);
    request.resume();
  }

  /** Reads no more. What is left of the body is dropped, by the connection if more than fits into one has to come. Idempotent. */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#client.end();
    this.upstream.off('drain', this.#onDrain);
    const { request } = this.exchange;
    request.off('data', this.#onData).off('end', this.#onEnd).off('body-broken', this.#onBroken);
    // All of it is here already: it must be read to its end, else the connection has no next request.
    if (request.complete) request.resume();
    else request.pause();
  }

  #waitForClient(): void {
    this.options.silence.rest();
    this.#client.begin();
  }

  #waitForDaemon(): void {
    this.#client.end();
    this.options.silence.watch();
  }

  readonly #onWritten = (error?: Error | null): void => {
    const chunk = this.#inFlight.shift();
    if (!error && chunk !== undefined) releaseMemory(chunk);
  };

  readonly #onData = (chunk: Buffer<ArrayBuffer>): void => {
    this.#inFlight.push(chunk);
    this.#sentBytes += chunk.length;
    const goesOn = this.upstream.write(chunk, this.#onWritten);
    this.options.onSent(chunk);
    if (goesOn) return;
    this.exchange.request.pause();
    this.#waitForDaemon();
  };

  readonly #onDrain = (): void => {
    this.#waitForClient();
    this.exchange.request.resume();
  };

  readonly #onEnd = (): void => {
    this.stop();
    this.#waitForDaemon();
    this.upstream.end();
  };

  readonly #onBroken = (): void => {
    const { bodyBroken } = this.exchange;
    this.stop();
    if (bodyBroken !== undefined) this.options.onBroken(bodyBroken);
  };
}
