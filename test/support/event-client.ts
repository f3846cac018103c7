import { EventEmitter, once } from 'node:events';
import { request as requestHttp, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createParser } from 'eventsource-parser';
import { connectOptions, type Address } from './address.js';
import { within } from './deadline.js';

/** What the events of one ticket tell. */
export interface Progress {
  readonly transferred?: number;
  readonly received_bytes?: number;
  readonly durable_bytes?: number;
  readonly active: boolean;
  readonly connections: number;
  readonly bytes_per_second: number;
  readonly expires_in?: number;
  readonly reason?: string;
}

/** An event and its data. */
export interface ParsedEvent<T> {
  readonly event: string;
  readonly data: T;
  readonly id: string | undefined;
}

/** A client that follows a stream of events, on a connection of its own. */
export class EventClient<T = Progress> implements Disposable {
  readonly events: ParsedEvent<T>[] = [];
  /** Not of the answer, whose failure is no failure to wait for its end. */
  readonly #news = new EventEmitter();
  #read = 0;
  /** The stream has ended as it should, or was cut. */
  end: 'whole' | 'cut' | undefined;

  private constructor(readonly answer: IncomingMessage) {
    const parser = createParser({
      onEvent: ({ event = 'message', data, id }) => {
        this.events.push({ event, data: JSON.parse(data) as T, id });
      },
    });
    answer.setEncoding('utf8').on('data', (piece: string) => {
      parser.feed(piece);
      this.#news.emit('news');
    });
    answer.on('error', () => undefined);
    answer.once('close', () => {
      this.end = answer.complete ? 'whole' : 'cut';
      this.#news.emit('news');
    });
  }

  static async follow<T = Progress>(
    address: Address,
    path: string,
    headers: OutgoingHttpHeaders = {},
  ): Promise<EventClient<T>> {
    const start = address.kind === 'tls' ? requestHttps : requestHttp;
    const request = start({
      ...connectOptions(address),
      path,
      headers: { Host: 'localhost', Accept: 'text/event-stream', ...headers },
      agent: false,
    });
    request.end();
    const [answer] = (await within(once(request, 'response'), `the head of ${path}`)) as [IncomingMessage];
    if (answer.statusCode !== 200) {
      answer.resume();
      request.destroy();
      throw new Error(`${path} was answered with ${answer.statusCode}`);
    }
    return new EventClient<T>(answer);
  }

  /** The next event, in order, that `wanted` says yes to. */
  async next(what: string, wanted: (event: ParsedEvent<T>) => boolean = () => true): Promise<ParsedEvent<T>> {
    for (;;) {
      while (this.#read < this.events.length) {
        const event = this.events[this.#read++];
        if (event !== undefined && wanted(event)) return event;
      }
      if (this.end !== undefined) throw new Error(`The stream ended (${this.end}) before ${what}`);
      await within(once(this.#news, 'news'), what);
    }
  }

  /** The next event of a type. */
  async of(type: string): Promise<ParsedEvent<T>> {
    return this.next(type, ({ event }) => event === type);
  }

  /** @returns how the stream ended, when it has */
  async ended(): Promise<'whole' | 'cut'> {
    while (this.end === undefined) await within(once(this.#news, 'news'), 'the end of the stream');
    return this.end;
  }

  [Symbol.dispose](): void {
    this.answer.destroy();
  }
}
