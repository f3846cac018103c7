import type { ClientRequest } from 'node:http';
import { pushDirectly } from '../../node-internals/direct-push.js';
import type { Exchange } from '../../wire/exchange.js';
import { ClientWait } from '../upstream/client-wait.js';
import { relayedTrailers } from '../upstream/relayed-request.js';
import { onceClosed, type BodySink, type BodyWriter } from './body-writer.js';
import type { BufferLoan } from '../buffers/buffer-loan.js';
import { CoalescingWriter } from './coalescing-writer.js';
import { PassThroughWriter } from './pass-through-writer.js';
import type { SilenceTimer } from '../../daemons/silence-timer.js';

export interface BodyUploadOptions {
  /** Watches the daemon. It is stopped while the client is waited for. */
  readonly silence: SilenceTimer;
  /** The memory that the body passes through; a short one needs none. */
  readonly buffers: BufferLoan | undefined;
  /**
   * Called with each piece that was handed to the daemon's connection, in order. Its
   * memory is freed afterwards.
   */
  readonly onSent: (chunk: Buffer) => void;
  /** All of the body has come from the client. */
  readonly onWhole: () => void;
  /**
   * The body will never be whole. The daemon gets what arrived of it, and then the end of the
   * connection instead of the body's.
   */
  readonly onBroken: (reason: Error) => void;
}

/**
 * Sends a request body on to the daemon while it arrives, as fast as the slower side goes: a
 * client is not read from while the daemon does not take more, so memory holds what the two
 * sockets buffer and nothing else.
 */
export class BodyUpload {
  readonly #client: ClientWait;
  readonly #writer: BodyWriter;
  #running = false;
  #sentBytes = 0;

  constructor(
    private readonly exchange: Exchange,
    private readonly upstream: ClientRequest,
    private readonly options: BodyUploadOptions,
  ) {
    this.#client = new ClientWait(exchange);
    const sink: BodySink = {
      write: (data, written) => upstream.write(data, written),
      end: () => {
        if (exchange.bodyBroken === undefined) this.#endUpstream();
        // Node keeps what was written in this tick together and sends it at its end.
        else setImmediate(() => upstream.socket?.end());
      },
      onClose: (closed) => {
        onceClosed(upstream, closed);
      },
    };
    const onRoom = (): void => {
      this.#onRoom();
    };
    const { buffers } = options;
    this.#writer =
      buffers === undefined
        ? new PassThroughWriter(sink, onRoom)
        : new CoalescingWriter(sink, buffers, onRoom);
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  start(): void {
    const { request, bodyBroken } = this.exchange;
    if (request.readableEnded) {
      // An empty body, which an earlier try has read to its end.
      this.options.onWhole();
      this.#endUpstream();
      return;
    }
    this.#running = true;
    this.options.buffers?.begin();
    this.#waitForClient();
    request.once('end', this.#onEnd);
    request.once('body-broken', this.#onBroken);
    pushDirectly(request);
    request.on('data', this.#onData);
    if (bodyBroken === undefined) request.resume();
    else this.#onBroken();
  }

  /**
   * Reads no more. What is left of the body is dropped, by the connection if more than fits
   * into one has to come. Idempotent.
   */
  stop(): void {
    this.#writer.stop();
    if (!this.#running) return;
    this.#detach();
    const { request } = this.exchange;
    // All of the body has arrived. It must be read to its end, or the connection would
    // have no next request.
    if (request.complete) request.resume();
    else request.pause();
  }

  #detach(): void {
    this.#running = false;
    this.#client.end();
    const { request } = this.exchange;
    request.off('data', this.#onData).off('end', this.#onEnd).off('body-broken', this.#onBroken);
  }

  #endUpstream(): void {
    this.upstream.addTrailers(relayedTrailers(this.exchange.request));
    this.upstream.end();
  }

  #waitForClient(): void {
    this.options.silence.rest();
    this.#client.begin();
  }

  #waitForDaemon(): void {
    this.#client.end();
    this.options.silence.watch();
  }

  /** Called while the upload waits for memory that other transfers hold: neither side is waited for then. */
  #waitForNobody(): void {
    this.options.silence.rest();
    this.#client.end();
  }

  readonly #onData = (chunk: Buffer<ArrayBuffer>): void => {
    this.#sentBytes += chunk.length;
    this.options.onSent(chunk);
    if (this.#writer.write(chunk)) return;
    this.exchange.request.pause();
    if (this.#writer.isWaitingForBuffer) this.#waitForNobody();
    else this.#waitForDaemon();
  };

  #onRoom(): void {
    if (!this.#running) return;
    this.#waitForClient();
    this.exchange.request.resume();
  }

  readonly #onEnd = (): void => {
    this.#detach();
    this.options.onWhole();
    this.#waitForDaemon();
    this.#writer.end();
  };

  readonly #onBroken = (): void => {
    const { request, bodyBroken } = this.exchange;
    // What arrived before may still be in the stream's own buffer, and nothing will make it flow any more.
    // `read` hands what it returns to the data listener as well.
    while (request.read() !== null);
    if (bodyBroken !== undefined) this.options.onBroken(bodyBroken);
    this.#onEnd();
  };
}
