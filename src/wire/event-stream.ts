import type { ServerResponse } from 'node:http';
import { ClientGoneError, UnavailableError } from '../base/errors.js';
import { SpreadInterval } from '../base/spread-interval.js';
import type { Exchange } from './exchange.js';

/** One event of a stream (HTML standard, "Server-sent events"). */
export interface StreamEvent {
  /** Its type. A client that has not read the last one of a type gets only the newest. */
  readonly event: string;
  /** Sent as JSON. */
  readonly data: unknown;
  /** What a client that connects again says in `Last-Event-ID`; no line breaks. */
  readonly id?: string | undefined;
}

export interface EventStreamsOptions {
  /** How many may be open; with one more a client gets 503. */
  readonly streamsMax: number;
  /** How often a comment shows that the stream is alive. */
  readonly commentSeconds?: number;
}

/** Less than what proxies and firewalls allow a connection to be silent, mostly 30 s or 60 s. */
const commentSecondsDefault = 15;

const comment = ':\n\n';

/** More than any stream has. What a daemon sends beyond that to a proxy must not pile up there. */
const waitingTypesMax = 32;

/**
 * What every stream of events says of itself: it is never to be kept, and neither compressed nor collected by
 * those who pass it on. nginx collects answers unless `X-Accel-Buffering` says no.
 */
const streamHeaders = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
};

/** The event streams of the whole service, which are bounded together. */
export class EventStreams {
  #open = 0;
  readonly #streamsMax: number;
  readonly #comments: SpreadInterval<EventStream>;

  constructor({ streamsMax, commentSeconds = commentSecondsDefault }: EventStreamsOptions) {
    this.#streamsMax = streamsMax;
    this.#comments = new SpreadInterval(commentSeconds, (stream) => {
      stream.comment();
    });
  }

  /** How many are open. */
  get open(): number {
    return this.#open;
  }

  /**
   * Answers with a stream of events, which ends when the client leaves.
   * @throws UnavailableError when too many are open
   */
  begin(exchange: Exchange): EventStream {
    if (this.#open >= this.#streamsMax) {
      throw new UnavailableError(`Too many event streams, the limit is ${this.#streamsMax}`);
    }
    this.#open++;
    const stream = new EventStream(exchange);
    const endComments = this.#comments.add(stream);
    exchange.response.once('close', () => {
      this.#open--;
      endComments();
    });
    return stream;
  }
}

/**
 * Writes `text/event-stream`. It never queues: while the socket has not taken what was sent last, only the
 * newest event of each type is kept. So a client that reads slowly, or not at all, costs a few hundred bytes;
 * one that takes nothing for as long as its connection may be silent is cut.
 */
export class EventStream {
  readonly #exchange: Exchange;
  readonly #response: ServerResponse;
  /** Events that wait for the socket, by type, in the order of their latest arrival. */
  readonly #waiting = new Map<string, StreamEvent>();
  #taken = true;
  #ended = false;
  /** Who waits until the socket has taken everything. */
  #onTaken: (() => void) | undefined;
  /** Resolves when the stream has ended or the client has left. Rejects when it is cut for another reason. */
  readonly closed: Promise<void>;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#response = exchange.response;
    this.closed = closeOf(exchange);
    // Over TCP a client that has left looks like one that only asks no more, until something is sent.
    exchange.request.socket.once('end', () => {
      this.comment();
    });
    this.#response.once('close', () => {
      this.#waiting.clear();
      this.#onTaken?.();
    });
    exchange.settleFraming();
    this.#response.writeHead(200, streamHeaders);
    // The client learns that the stream is open even when nothing happens for long.
    this.#response.flushHeaders();
  }

  /** It takes no events any more: it was ended, or the client has left. */
  get over(): boolean {
    // The socket is gone a moment before the response knows, and takes whatever is written meanwhile.
    return this.#ended || this.#response.closed || this.#exchange.connection.closed;
  }

  /** Shows that the stream is alive, unless something is on its way already. */
  comment(): void {
    if (this.#taken && !this.over) this.#write(comment);
  }

  /** Sends the event now or, while the socket has not taken what was sent before, when it has. */
  send(event: StreamEvent): void {
    if (this.over) return;
    if (this.#taken) {
      this.#write(textOf(event));
      return;
    }
    this.#keep(event);
  }

  /** Resolves when the socket has taken everything, or the stream is closed. */
  async taken(): Promise<void> {
    if (this.#taken || this.#response.closed) return;
    await new Promise<void>((resolve) => {
      const before = this.#onTaken;
      const onTaken = (): void => {
        before?.();
        resolve();
      };
      this.#onTaken = onTaken;
    });
  }

  /** Ends the stream after what was sent, and `last`. Idempotent. */
  end(last?: StreamEvent): void {
    if (this.over) return;
    if (last !== undefined) this.#keep(last);
    this.#ended = true;
    this.#response.end(this.#takeWaiting());
  }

  #write(text: string): void {
    this.#taken = false;
    const written = new Promise<void>((resolve) => {
      this.#response.write(text, () => {
        resolve();
      });
    });
    // Until the socket has it, progress depends on the client.
    void this.#exchange.waitForClient(written).then(() => {
      // Of a stream that is over whoever waits is told when it is closed.
      if (this.over) return;
      this.#taken = true;
      if (this.#waiting.size > 0) {
        this.#write(this.#takeWaiting());
        return;
      }
      const onTaken = this.#onTaken;
      this.#onTaken = undefined;
      onTaken?.();
    });
  }

  #keep(event: StreamEvent): void {
    this.#waiting.delete(event.event);
    this.#waiting.set(event.event, event);
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > waitingTypesMax && oldest !== undefined) this.#waiting.delete(oldest);
  }

  #takeWaiting(): string {
    const text = [...this.#waiting.values()].map(textOf).join('');
    this.#waiting.clear();
    return text;
  }
}

/** JSON has no line breaks, so the data is one line. */
function textOf({ event, data, id }: StreamEvent): string {
  const idLine = id === undefined ? '' : `id: ${id}\n`;
  return `${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function closeOf({ response, signal }: Exchange): Promise<void> {
  const closed = new Promise<void>((resolve, reject) => {
    response.once('close', resolve);
    signal.addEventListener('abort', () => {
      // A client that has seen enough leaves: that is how a stream of events is meant to end.
      if (signal.reason instanceof ClientGoneError) resolve();
      else reject(signal.reason as Error);
    });
  });
  // It may be cut before anybody waits for that.
  closed.catch(() => undefined);
  return closed;
}
