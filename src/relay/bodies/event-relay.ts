import type { IncomingMessage } from 'node:http';
import { createParser, type EventSourceParser } from 'eventsource-parser';
import { BadGatewayError, NotAllowedError } from '../../base/errors.js';
import type { EventStreams, StreamEvent } from '../../wire/event-stream.js';
import type { Exchange } from '../../wire/exchange.js';
import type { SilenceTimer } from '../../daemons/silence-timer.js';

/** A daemon sends a comment every 15 s. When four have not come it is gone. */
const daemonSilenceSeconds = 60;

/** Longer events are no work of ours, and would be kept in memory. */
const eventCharactersMax = 1_048_576;

export interface EventRelayOptions {
  readonly streams: EventStreams;
  /** Watches the daemon. */
  readonly silence: SilenceTimer;
}

/** The daemon answers with a stream of events. */
export function isEventStream({ statusCode, headers }: IncomingMessage): boolean {
  return statusCode === 200 && headers['content-type']?.split(';', 1)[0]?.trim() === 'text/event-stream';
}

/**
 * Hands the events of a daemon's answer on, each as it comes, in a stream of the proxy's own: so it never
 * queues for a client that reads slowly, counts among the streams of the proxy, and ends with an event when
 * the proxy stops, or when what the client was allowed by ends.
 * @throws UnavailableError when too many are open, BadGatewayError when the daemon breaks off, or the reason
 *   of the exchange's signal
 */
export async function relayEvents(
  exchange: Exchange,
  source: IncomingMessage,
  { streams, silence }: EventRelayOptions,
): Promise<void> {
  const stream = streams.begin(exchange);
  const { promise: sourceFailed, reject } = Promise.withResolvers<never>();
  /** What the client was told last: events of the proxy's own have it too, as all events of a stream do. */
  let newest: unknown;
  exchange.onDrain(() => {
    stream.end({ event: 'draining', data: stateIn(newest) });
  });
  const onAbort = (): void => {
    const reason = withdrawal(exchange);
    if (reason === undefined) return;
    stream.end({ event: 'cancelled', data: { ...stateIn(newest), reason: reason.message } });
  };
  exchange.signal.addEventListener('abort', onAbort);
  silence.limitSeconds = daemonSilenceSeconds;
  silence.watch();
  const parser = parserInto((event) => {
    newest = event.data;
    stream.send(event);
  });
  // Characters that two pieces share are kept whole.
  source.setEncoding('utf8');
  source.on('data', (piece: string) => {
    silence.watch();
    try {
      parser.feed(piece);
    } catch (error: unknown) {
      reject(new BadGatewayError('The host of the image sent no stream of events', { cause: error }));
    }
  });
  source.once('end', () => {
    stream.end();
  });
  source.on('error', () => undefined);
  source.once('close', () => {
    if (!source.complete) reject(new BadGatewayError('The host of the image broke off its answer'));
  });
  try {
    await Promise.race([stream.closed, sourceFailed]);
  } catch (error: unknown) {
    // Then the client was told, and the stream has ended as it should.
    if (withdrawal(exchange) === undefined) throw error;
  } finally {
    exchange.signal.removeEventListener('abort', onAbort);
    silence.rest();
  }
}

/** Why the client is not allowed to follow any more; undefined while it is. */
function withdrawal({ signal }: Exchange): NotAllowedError | undefined {
  return signal.reason instanceof NotAllowedError ? signal.reason : undefined;
}

/** Its `feed` throws for an event that is too long, or whose data is no JSON. */
function parserInto(take: (event: StreamEvent) => void): EventSourceParser {
  return createParser({
    maxBufferSize: eventCharactersMax,
    onEvent: ({ event = 'message', data, id }) => {
      take({ event, data: JSON.parse(data) as unknown, id });
    },
    onError: (error) => {
      // What it does not know it leaves out, as the standard says.
      if (error.type === 'max-buffer-size-exceeded') throw error;
    },
  });
}

function stateIn(data: unknown): object {
  return typeof data === 'object' && data !== null ? data : {};
}
