import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * By this header a peer says that it takes `102 Processing` (RFC 2518 section 10.1) while it waits, and that
 * it wants one each so many seconds. Other clients get none: Python's `http.client` takes it for the answer.
 */
export const processingIntervalHeader = 'processing-interval';

/** Nobody needs them more often, and each costs both sides a packet. */
const intervalSecondsMin = 1;
/** Firewalls forget connections that are silent for some minutes. */
const intervalSecondsMax = 60;

/** A request whose answer takes a while. */
export interface AwaitedAnswer {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly waitsForClient: boolean;
}

const wholeSeconds = /^\d{1,9}$/;

/**
 * Sends `102 Processing` at intervals to a peer that asked for it, until the head of the answer is sent.
 * Nothing is sent while the service waits for the peer.
 * @returns ends it; idempotent
 */
export function showSignsOfLife(exchange: AwaitedAnswer): () => void {
  const { request, response } = exchange;
  const intervalSeconds = signsOfLifeInterval(request);
  if (intervalSeconds === undefined) return nothing;
  const timer = setInterval(() => {
    // A peer that does not read them gets no more, so that they do not pile up.
    const isRead = response.writableLength === 0 && request.socket.writableLength === 0;
    if (!response.headersSent && !exchange.waitsForClient && isRead) response.writeProcessing();
  }, intervalSeconds * 1000);
  const end = (): void => {
    clearInterval(timer);
    response.off('close', end);
  };
  response.once('close', end);
  return end;
}

/** How often the peer wants a sign of life, in seconds; undefined for one that did not ask for any. */
export function signsOfLifeInterval({ headers, httpVersion }: IncomingMessage): number | undefined {
  const { [processingIntervalHeader]: wanted } = headers;
  // HTTP/1.0 has no interim answers.
  if (typeof wanted !== 'string' || !wholeSeconds.test(wanted) || httpVersion !== '1.1') return undefined;
  return signsOfLifeSeconds(Number(wanted));
}

/** As often as a peer gets them that wants them each `wantedSeconds`. */
export function signsOfLifeSeconds(wantedSeconds: number): number {
  return Math.min(Math.max(wantedSeconds, intervalSecondsMin), intervalSecondsMax);
}

function nothing(): void {
  // There is nothing to end.
}
