import { setTimeout as delay } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Dispatcher } from 'undici';
import type { components as ControlComponents } from './generated/control.js';
import type { components } from './generated/daemon.js';
import { ImageioError, refusalOf } from './service-error.js';
import type { Transport } from './transport.js';

export type TicketProgress = components['schemas']['TicketProgress'];

/** What happens to a ticket, and how its transfer stands then. The last three are the end of the ticket. */
export interface ImageEvent {
  readonly event: 'progress' | 'flushed' | 'extended' | 'draining' | 'cancelled' | 'expired' | 'removed';
  readonly data: TicketProgress;
  /** Names this state; see {@link FollowOptions.lastEventId}. */
  readonly id?: string;
}

/** How far a job is. The last three are its end. */
export interface JobEvent {
  readonly event: 'progress' | 'draining' | 'done' | 'failed' | 'cancelled';
  readonly data: components['schemas']['Job'];
}

/**
 * What happens to all tickets. After each `open`, the first one and those of reconnections, all tickets come
 * again until `complete`; what is not among them is gone.
 */
export type TicketsEvent =
  | { readonly event: 'open' }
  | { readonly event: 'tickets'; readonly data: readonly ControlComponents['schemas']['TicketInfo'][] }
  | { readonly event: 'complete'; readonly data: { readonly count: number } }
  | { readonly event: 'removed'; readonly data: readonly string[] }
  | { readonly event: 'draining'; readonly data: object };

export interface FollowOptions {
  /** When it is aborted the loop throws its reason. */
  readonly signal?: AbortSignal;
  /** Id of the newest event that is known: that state is not told again. */
  readonly lastEventId?: string;
  /**
   * How long a service that has answered once is tried again when it is away. Default 300 seconds: most
   * tickets live that long when nobody uses them.
   */
  readonly reconnectSeconds?: number;
}

const reconnectSecondsDefault = 300;

/** The service sends a comment each 15 s. When four have not come the connection is dead. */
const silenceMilliseconds = 60_000;

/** The pauses before it is tried again grow from one second up to this. */
const pauseSecondsMax = 30;

/** Longer events are not the service's, and would be kept in memory. */
const eventCharactersMax = 16 * 1_048_576;

/** The service, or a proxy before it, has no room or no way at the moment. */
const passingStatuses = new Set([429, 502, 503, 504]);

interface FollowedEvent {
  /** `open` for each connection. */
  readonly event: string;
  readonly data?: unknown;
  readonly id?: string;
}

/**
 * Follows a stream of events (HTML standard, "Server-sent events") over as many connections as it takes, each
 * of which says in `Last-Event-ID` what is known.
 * @param ends the events after which nothing can come
 * @throws ImageioError when the service refuses, and what a connection fails with when it cannot be had
 */
export async function* follow(
  transport: Transport,
  path: string,
  ends: ReadonlySet<string>,
  { lastEventId, reconnectSeconds = reconnectSecondsDefault, signal: given }: FollowOptions,
): AsyncGenerator<FollowedEvent> {
  const signal = given === undefined ? transport.closing : AbortSignal.any([given, transport.closing]);
  const patience = new Patience(reconnectSeconds);
  let knownId = lastEventId;
  for (;;) {
    let failure: unknown;
    try {
      const answer = await connect(transport, path, knownId, signal);
      patience.renew();
      yield { event: 'open' };
      for await (const { event = 'message', data, id } of messagesOf(answer)) {
        knownId = id ?? knownId;
        yield { event, data: JSON.parse(data) as unknown, ...(id !== undefined && { id }) };
        if (ends.has(event)) return;
      }
    } catch (error: unknown) {
      signal.throwIfAborted();
      failure = error;
    }
    await delay(patience.pauseMilliseconds(failure), undefined, { signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
  }
}

/** How long, and in which steps, something is tried again. */
class Patience {
  #hasWorked = false;
  #failingSince: number | undefined;
  #pauseSeconds = 1;

  constructor(private readonly seconds: number) {}

  /** It works. */
  renew(): void {
    this.#hasWorked = true;
    this.#failingSince = undefined;
    this.#pauseSeconds = 1;
  }

  /**
   * How long to wait before the next try: not the same for all clients that a service has lost at once.
   * @param failure of the last try; undefined when it ended as it should
   * @throws the failure, when it is not worth another try
   */
  pauseMilliseconds(failure: unknown): number {
    const now = performance.now();
    this.#failingSince ??= now;
    const isLate = !this.#hasWorked || now - this.#failingSince >= this.seconds * 1000;
    if (failure !== undefined && (isLate || !isPassing(failure))) throw failure as Error;
    const milliseconds = this.#pauseSeconds * (500 + Math.random() * 500);
    this.#pauseSeconds = Math.min(2 * this.#pauseSeconds, pauseSecondsMax);
    return milliseconds;
  }
}

function isPassing(failure: unknown): boolean {
  if (failure instanceof ImageioError) return passingStatuses.has(failure.status);
  // What Node and undici say of connections has a code.
  return failure instanceof Error && 'code' in failure;
}

async function connect(
  transport: Transport,
  path: string,
  lastEventId: string | undefined,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const answer = await transport.send(path, {
    method: 'GET',
    headers: {
      Accept: 'text/event-stream',
      ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
    },
    signal,
    headersTimeout: silenceMilliseconds,
    bodyTimeout: silenceMilliseconds,
  });
  const { statusCode, headers, body } = answer;
  if (statusCode !== 200) throw refusalOf(statusCode, await body.text());
  if (String(headers['content-type']).startsWith('text/event-stream')) return answer;
  await body.dump();
  // An older service takes `events` for the id of something that it happens to have.
  throw new ImageioError(statusCode, 'The service sends no events');
}

async function* messagesOf({ body }: Dispatcher.ResponseData): AsyncGenerator<EventSourceMessage> {
  const received: EventSourceMessage[] = [];
  const parser = createParser({
    maxBufferSize: eventCharactersMax,
    onEvent: (message) => received.push(message),
    onError: (error) => {
      // Fields that a newer service has are left out.
      if (error.type === 'max-buffer-size-exceeded') throw error;
    },
  });
  const decoder = new TextDecoder();
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    parser.feed(decoder.decode(piece, { stream: true }));
    yield* received.splice(0);
  }
}
