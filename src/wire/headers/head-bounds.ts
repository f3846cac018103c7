import type { IncomingMessage } from 'node:http';
import { ticketIdCharactersMax } from '../../contract/schemas.js';
import { InvalidRequestError, TooManyHeadersError, type ServiceError } from '../../base/errors.js';
import { isLongerThan } from '../../base/text-length.js';

/**
 * Browsers with all proxies on their way send fewer than 50. Each one costs the proxy microseconds, because
 * it checks and sends on all of them; 900 took 4 ms, in which every transfer stood still.
 */
const headersMax = 256;

/** No route knows more than four. The 8,000 that a request line can hold took the proxy 12 ms. */
const queryParametersMax = 64;

/**
 * Why a request head is refused that is short enough in bytes, but has so many parts that working through
 * them would take long; undefined when it is accepted.
 */
export function headBeyondBounds(
  { rawHeaders, url = '' }: IncomingMessage,
  { id = '' }: PathParameters,
): ServiceError | undefined {
  // Names and values in turn.
  if (rawHeaders.length > 2 * headersMax) return new TooManyHeadersError(headersMax);
  if (hasMoreParameters(url, queryParametersMax))
    return new InvalidRequestError(`The query has more than ${queryParametersMax} parameters`);
  if (isLongerThan(id, ticketIdCharactersMax))
    return new InvalidRequestError(`The id in the path has more than ${ticketIdCharactersMax} characters`);
  return undefined;
}

/** What the router found in the path, decoded. */
export interface PathParameters {
  /** Of a ticket or a session. */
  readonly id?: string;
}

function hasMoreParameters(url: string, limit: number): boolean {
  let count = 1;
  for (let at = url.indexOf('&'); at >= 0; at = url.indexOf('&', at + 1)) if (++count > limit) return true;
  return false;
}
