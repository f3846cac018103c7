import { InvalidRequestError } from '../../base/errors.js';
import { wholeNumber } from '../../wire/headers/query-number.js';
import type { ExtentContext } from '../backends/backend.js';
import type { QueryValues } from './image-handler.js';

/** What a list of extents is to be about. */
export interface ExtentsRequest {
  readonly context: ExtentContext;
  readonly startBytes: number;
  /** Where it ends; `Infinity` for all that follows. */
  readonly endBytes: number;
  /** How many extents a page has at most; undefined for a list that is no page. */
  readonly limit: number | undefined;
}

/** A page is in memory as a whole: 1 MiB of text. */
const pageExtentsMax = 10_000;

/** @throws InvalidRequestError that says what was expected */
export function extentsRequest(query: QueryValues): ExtentsRequest {
  const { context = 'zero' } = query;
  if (context !== 'zero' && context !== 'dirty') {
    throw new InvalidRequestError('Invalid context, expected zero or dirty');
  }
  const startBytes = number(query, 'start', 0) ?? 0;
  const lengthBytes = number(query, 'length', 0);
  const limit = number(query, 'limit', 1);
  return {
    context,
    startBytes,
    endBytes: startBytes + (lengthBytes ?? Infinity),
    limit: limit === undefined ? undefined : Math.min(limit, pageExtentsMax),
  };
}

function number(query: QueryValues, name: string, min: number): number | undefined {
  const { [name]: text } = query;
  if (text === undefined) return undefined;
  const value = wholeNumber(text);
  if (value !== undefined && value >= min) return value;
  throw new InvalidRequestError(`Invalid ${name}, expected a whole number from ${min} on`);
}
