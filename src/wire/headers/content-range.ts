import { InvalidRequestError, RangeNotSatisfiableError } from '../../base/errors.js';

/** A `Range` request header (RFC 9110 section 14.1.2) of one byte range. */
export type RequestedRange =
  { readonly first: number; readonly last: number | undefined } | { readonly suffixLength: number };

const byteRange = /^bytes\s*=\s*(?:(\d+)\s*-\s*(\d*)|-\s*(\d+))$/i;

/**
 * Parses a `Range` header.
 * @throws RangeNotSatisfiableError when it is malformed or asks for several ranges: an image client that gets
 * something else than the range it asked for would put it in the wrong place, so nothing is ignored as RFC
 * 9110 would allow
 */
export function parseRange(header: string): RequestedRange {
  if (header.includes(',')) throw new RangeNotSatisfiableError('Multiple ranges are not supported');
  const match = byteRange.exec(header.trim());
  if (match === null)
    throw new RangeNotSatisfiableError(
      'Invalid Range, expected bytes=first-last, bytes=first- or bytes=-length',
    );
  const [, first, last, suffix] = match;
  if (suffix !== undefined) return { suffixLength: position(suffix) };
  if (last !== undefined && last !== '' && exact(last) < exact(first ?? '')) {
    throw new RangeNotSatisfiableError(`Invalid Range, last byte ${last} is before first byte ${first}`);
  }
  return {
    first: position(first ?? ''),
    last: last === undefined || last === '' ? undefined : position(last),
  };
}

/** To be compared. Most positions fit into a `number`, and a `bigint` takes longer. */
function exact(digits = ''): number | bigint {
  return digits.length > 15 ? BigInt(digits) : Number(digits);
}

/**
 * No image reaches 2^53; a larger number only has to stay larger than every position in one, and to have a
 * safe successor.
 */
function position(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1);
}

const contentRange = /^bytes\s+(\d+)-(\d+|\*)\/(\d+|\*)$/i;

/**
 * The offset that a `Content-Range` request header says the body starts at; 0 without one. The last byte and
 * the total may be `*`; only the start counts, as the length is the body's own.
 * @throws InvalidRequestError when it is malformed or contradicts itself
 */
export function parseContentRangeStart(header: string | undefined): number {
  if (header === undefined) return 0;
  // A range without a first byte means "unsatisfied" and belongs into responses only (RFC 9110 section 14.4).
  const match = contentRange.exec(header.trim());
  if (match === null) throw new InvalidRequestError('Invalid Content-Range, expected bytes first-last/total');
  const [first, last, total] = match.slice(1).map((part) => (part === '*' ? undefined : exact(part)));
  if (first === undefined) throw new InvalidRequestError('Invalid Content-Range, it has no first byte');
  if (last !== undefined && last < first) {
    throw new InvalidRequestError(`Invalid Content-Range, last byte ${last} is before first byte ${first}`);
  }
  if (total !== undefined && (last ?? first) >= total) {
    throw new InvalidRequestError(
      `Invalid Content-Range, byte ${last ?? first} is not below the total ${total}`,
    );
  }
  return position(String(first));
}
