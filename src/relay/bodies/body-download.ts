import type { IncomingMessage, ServerResponse } from 'node:http';
import { BadGatewayError, ClientGoneError } from '../../base/errors.js';
import type { Exchange } from '../../wire/exchange.js';
import { onceClosed, type BodySink, type BodyWriter } from './body-writer.js';
import type { BufferLoan } from '../buffers/buffer-loan.js';
import { ClientWait } from '../upstream/client-wait.js';
import { CoalescingWriter } from './coalescing-writer.js';
import { DirectDownload } from '../../node-internals/direct-download.js';
import { PassThroughWriter } from './pass-through-writer.js';
import type { SilenceTimer } from '../../daemons/silence-timer.js';
import { SteppedSink } from './stepped-sink.js';
import { UnreadDownload } from './unread-download.js';

export interface BodyDownloadOptions {
  /** Watches the daemon. It is stopped while the client is waited for. */
  readonly silence: SilenceTimer;
  /** The memory that the body passes through; a short one needs none. */
  readonly buffers?: BufferLoan | undefined;
  /** Called with the length of each piece that was handed to the client's connection, in order. */
  readonly onReceived: (lengthBytes: number) => void;
  /** Changes the body on its way. The client must not have been told a length then. */
  readonly rewrite?: BodyRewrite | undefined;
}

/** Changes a body piece by piece. */
export interface BodyRewrite {
  /**
   * @returns what is sent instead of the piece; may be empty
   * @throws ServiceError when the body is not what it should be
   */
  push(piece: Buffer): Buffer<ArrayBuffer>;
  /** Called after the last piece. @throws ServiceError when the body is incomplete */
  end(): void;
}

/**
 * Sends the body of a daemon's answer on to the client, whose head was written, and ends the response. The
 * daemon is not read from while the client does not take more.
 * @returns when the kernel has taken the whole response
 * @throws BadGatewayError when the daemon broke off, ClientGoneError, or the reason of the exchange's
 *   signal: the response is then neither complete nor ended
 */
export function downloadBody(
  exchange: Exchange,
  source: IncomingMessage,
  options: BodyDownloadOptions,
): Promise<void> {
  return new BodyDownload(exchange, source, options).run();
}

class BodyDownload {
  readonly #settled = Promise.withResolvers<undefined>();
  readonly #client: ClientWait;
  readonly #head: NodeJS.Immediate;
  readonly #writer: BodyWriter;
  /** Absent for a short body, and for one that is changed on its way. */
  readonly #direct: DirectDownload | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly source: IncomingMessage,
    private readonly options: BodyDownloadOptions,
  ) {
    this.#client = new ClientWait(exchange);
    // The head is held back for one turn of the event loop, so that the first data can share a packet with
    // it.
    this.#head = setImmediate(() => {
      exchange.response.flushHeaders();
    });
    const sink = sinkOf(exchange.response);
    const { buffers, rewrite } = options;
    if (buffers === undefined) {
      this.#writer = new PassThroughWriter(sink, this.#onRoom);
      return;
    }
    const writer = new CoalescingWriter(new SteppedSink(sink, buffers), buffers, this.#onRoom);
    this.#writer = writer;
    const unread = new UnreadDownload(exchange, writer, buffers);
    const giveWay = (): boolean => unread.giveWay();
    buffers.onStall = giveWay;
    if (rewrite !== undefined) return;
    this.#direct = DirectDownload.of(source, {
      target: () => writer.target(),
      filled: (lengthBytes) => {
        this.#received(lengthBytes, writer.filled(lengthBytes));
      },
    });
  }

  run(): Promise<void> {
    const { exchange, source, options } = this;
    exchange.response.once('close', this.#onResponseClose);
    exchange.signal.addEventListener('abort', this.#onAbort);
    source.once('end', this.#onSourceEnd);
    source.once('close', this.#onSourceClose);
    // When the daemon breaks off, `error` comes before `close`; `close` is what is acted on.
    source.on('error', () => undefined);
    source.on('data', this.#onData);
    options.silence.watch();
    return this.#settled.promise;
  }

  readonly #onData = (chunk: Buffer<ArrayBuffer>): void => {
    const { rewrite } = this.options;
    // `write` takes the memory of the chunk away, and with it its length.
    const { length } = chunk;
    if (rewrite === undefined) {
      this.#received(length, this.#writer.write(chunk));
      return;
    }
    this.#attempt(() => {
      const piece = rewrite.push(chunk);
      this.#received(length, piece.length === 0 || this.#writer.write(piece));
    });
  };

  #received(lengthBytes: number, hasRoom: boolean): void {
    const { silence, onReceived } = this.options;
    clearImmediate(this.#head);
    onReceived(lengthBytes);
    if (hasRoom) {
      silence.watch();
      return;
    }
    this.source.pause();
    this.#direct?.pause();
    silence.rest();
    if (!this.#writer.isWaitingForBuffer) this.#client.begin();
  }

  readonly #onRoom = (): void => {
    this.#client.end();
    this.options.silence.watch();
    this.source.resume();
    this.#direct?.resume();
  };

  readonly #onSourceEnd = (): void => {
    clearImmediate(this.#head);
    this.options.silence.rest();
    this.#attempt(() => {
      this.options.rewrite?.end();
      this.#writer.end();
    });
  };

  readonly #onSourceClose = (): void => {
    // Whether the body is complete is known from its framing. That the connection closed does not say it.
    if (!this.source.complete)
      this.#settle(new BadGatewayError('The host of the image broke off its answer'));
  };

  readonly #onResponseClose = (): void => {
    this.#settle(this.exchange.response.writableFinished ? undefined : new ClientGoneError());
  };

  readonly #onAbort = (): void => {
    this.#settle(this.exchange.signal.reason as Error);
  };

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error: unknown) {
      this.#settle(error as Error);
    }
  }

  #settle(error?: Error): void {
    const { exchange, source } = this;
    clearImmediate(this.#head);
    this.#direct?.stop();
    this.#writer.stop();
    this.#client.end();
    this.options.silence.rest();
    source.off('data', this.#onData).off('end', this.#onSourceEnd).off('close', this.#onSourceClose);
    exchange.response.off('close', this.#onResponseClose);
    exchange.signal.removeEventListener('abort', this.#onAbort);
    if (error === undefined) this.#settled.resolve(undefined);
    else this.#settled.reject(error);
  }
}

function sinkOf(response: ServerResponse): BodySink {
  return {
    write: (data, written) => response.write(data, written),
    end: () => response.end(),
    onClose: (closed) => {
      onceClosed(response, closed);
    },
  };
}
