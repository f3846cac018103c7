import { InvalidRequestError } from '../base/errors.js';
import { wholeNumber } from '../wire/headers/query-number.js';
import type { ReceivedPage, ReceivedPageRequest } from './received-ranges.js';

/** Enough that most transfers need one page, and a body of well below a megabyte. */
const rangesPerPageDefault = 1000;
const rangesPerPageMax = 10_000;

/** As they are in the query. */
export interface RangesQuery {
  readonly state?: string | string[];
  readonly start?: string | string[];
  readonly limit?: string | string[];
}

/**
 * What page of the ranges is wanted (docs/protocol.md, "Received ranges").
 * @throws InvalidRequestError naming what is allowed
 */
export function rangesRequest({ state = 'received', start = '0', limit }: RangesQuery): ReceivedPageRequest {
  if (state !== 'received' && state !== 'durable')
    throw new InvalidRequestError('Invalid state, expected received or durable');
  return {
    state,
    startBytes: numberWithin('start', start, 0, Number.MAX_SAFE_INTEGER),
    rangesMax: limit === undefined ? rangesPerPageDefault : numberWithin('limit', limit, 1, rangesPerPageMax),
  };
}

/** @param sizeBytes of the ticket */
export function wireRanges(page: ReceivedPage, sizeBytes: number): object {
  const { generation, receivedBytes, durableBytes, ranges, nextBytes = null } = page;
  return {
    size: sizeBytes,
    generation,
    received_bytes: receivedBytes,
    durable_bytes: durableBytes,
    ranges: ranges.map(({ offsetBytes, lengthBytes, state, zero }) => ({
      start: offsetBytes,
      length: lengthBytes,
      state,
      zero,
    })),
    next: nextBytes,
  };
}

function numberWithin(name: string, text: string | string[], minimum: number, maximum: number): number {
  const value = wholeNumber(text);
  if (value !== undefined && value >= minimum && value <= maximum) return value;
  throw new InvalidRequestError(`Invalid ${name}, expected a whole number from ${minimum} to ${maximum}`);
}
