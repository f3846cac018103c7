import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export const requestIdHeader = 'X-Request-Id';

/** What can go into a log and a header as it is, and is not too long for either. */
const acceptable = /^[A-Za-z0-9._-]{1,64}$/;

/** The id that the client gave its request, or a new one when it gave none or something else than an id. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const shown = headers['x-request-id'];
  return typeof shown === 'string' && acceptable.test(shown) ? shown : randomUUID();
}
