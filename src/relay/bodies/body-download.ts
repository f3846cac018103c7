import type { IncomingMessage } from 'node:http';
import { BadGatewayError, ClientGoneError } from '../../base/errors.js';
import type { Exchange } from '../../wire/exchange.js';
import { onceClosed, type BodySink } from './body-writer.js';
import type { BufferLoan } from '../buffers/buffer-loan.js';
import { ClientWait } from '../upstream/client-wait.js';
import { CoalescingWriter } from './coalescing-writer.js';
import { DirectDownload } from '../../node-internals/direct-download.js';
import { PassThroughWriter } from './pass-through-writer.js';
import type { SilenceTimer } from '../upstream/silence-timer.js';
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
  { silence, buffers, onReceived, rewrite }: BodyDownloadOptions,
): Promise<void> {
  const { response, signal } = exchange;
  const client = new ClientWait(exchange);
  return new Promise<void>((resolve, reject) => {
    // The head is held back for one turn of the event loop, so that the first data can
    // share a packet with it.
    const head = setImmediate(() => {
      response.flushHeaders();
    });
    const onRoom = (): void => {
      client.end();
      silence.watch();
      source.resume();
      direct?.resume();
    };
    const sink: BodySink = {
      write: (data, written) => response.write(data, written),
      end: () => response.end(),
      onClose: (closed) => {
        onceClosed(response, closed);
      },
    };
    const gathering = buffers && new CoalescingWriter(new SteppedSink(sink, buffers), buffers, onRoom);
    const writer = gathering ?? new PassThroughWriter(sink, onRoom);
    if (buffers !== undefined && gathering !== undefined) {
      const unread = new UnreadDownload(exchange, gathering, buffers);
      buffers.onStall = () => unread.giveWay();
    }
    const received = (lengthBytes: number, hasRoom: boolean): void => {
      clearImmediate(head);
      onReceived(lengthBytes);
      if (hasRoom) {
        silence.watch();
        return;
      }
      source.pause();
      direct?.pause();
      silence.rest();
      if (!writer.isWaitingForBuffer) client.begin();
    };
    const onData = (chunk: Buffer<ArrayBuffer>): void => {
      // `write` takes the memory of the chunk away, and with it its length.
      const { length } = chunk;
      if (rewrite === undefined) {
        received(length, writer.write(chunk));
        return;
      }
      attempt(() => {
        const piece = rewrite.push(chunk);
        received(length, piece.length === 0 || writer.write(piece));
      });
    };
    const directSink = gathering && {
      target: () => gathering.target(),
      filled: (lengthBytes: number): void => {
        received(lengthBytes, gathering.filled(lengthBytes));
      },
    };
    const direct =
      directSink === undefined || rewrite !== undefined ? undefined : DirectDownload.of(source, directSink);
    const onSourceEnd = (): void => {
      clearImmediate(head);
      silence.rest();
      attempt(() => {
        rewrite?.end();
        writer.end();
      });
    };
    const attempt = (work: () => void): void => {
      try {
        work();
      } catch (error: unknown) {
        settle(error as Error);
      }
    };
    const onSourceClose = (): void => {
      // Whether the body is complete is known from its framing. That the connection closed does not say it.
      if (!source.complete) settle(new BadGatewayError('The host of the image broke off its answer'));
    };
    const onResponseClose = (): void => {
      settle(response.writableFinished ? undefined : new ClientGoneError());
    };
    const onAbort = (): void => {
      settle(signal.reason as Error);
    };
    const settle = (error?: Error): void => {
      clearImmediate(head);
      direct?.stop();
      writer.stop();
      client.end();
      silence.rest();
      source.off('data', onData).off('end', onSourceEnd).off('close', onSourceClose);
      response.off('close', onResponseClose);
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    response.once('close', onResponseClose);
    signal.addEventListener('abort', onAbort);
    source.once('end', onSourceEnd);
    source.once('close', onSourceClose);
    // When the daemon breaks off, `error` comes before `close`; `close` is what is acted on.
    source.on('error', () => undefined);
    source.on('data', onData);
    silence.watch();
  });
}
