import { RangeNotSatisfiableError } from '../base/errors.js';
import type { RequestedRange } from '../wire/headers/content-range.js';
import type { ByteRange } from '../base/units.js';

/** @throws RangeNotSatisfiableError when `range` ends past what a ticket of `sizeBytes` covers */
export function checkWithinTicket({ offsetBytes, lengthBytes }: ByteRange, sizeBytes: number): void {
  checkEnd(offsetBytes + lengthBytes, sizeBytes, 'ticket');
}

/** The refusal of a body that says its length only by its end, which lies past what the ticket covers. */
export function bodyBeyondTicket(): RangeNotSatisfiableError {
  return new RangeNotSatisfiableError('Request body is longer than the ticket allows');
}

/** @throws RangeNotSatisfiableError when `range` ends past the image */
export function checkWithinImage({ offsetBytes, lengthBytes }: ByteRange, sizeBytes: number): void {
  checkEnd(offsetBytes + lengthBytes, sizeBytes, 'image');
}

function checkEnd(endBytes: number, sizeBytes: number, what: string): void {
  if (endBytes > sizeBytes) {
    throw new RangeNotSatisfiableError(`range end ${endBytes} > ${what} size ${sizeBytes}`, sizeBytes);
  }
}

/**
 * The bytes that a `Range` header means in something of `sizeBytes`. Unlike RFC 9110 a last byte past the
 * end is refused instead of clipped: an image client counts on exactly what it asked for.
 * @throws RangeNotSatisfiableError
 */
export function resolveRange(requested: RequestedRange, sizeBytes: number, what: string): ByteRange {
  if ('suffixLength' in requested) {
    const lengthBytes = Math.min(requested.suffixLength, sizeBytes);
    if (lengthBytes === 0)
      throw new RangeNotSatisfiableError(`range is empty, ${what} size ${sizeBytes}`, sizeBytes);
    return { offsetBytes: sizeBytes - lengthBytes, lengthBytes };
  }
  const { first, last } = requested;
  if (first >= sizeBytes) {
    throw new RangeNotSatisfiableError(`range start ${first} >= ${what} size ${sizeBytes}`, sizeBytes);
  }
  const endBytes = last === undefined ? sizeBytes : last + 1;
  checkEnd(endBytes, sizeBytes, what);
  return { offsetBytes: first, lengthBytes: endBytes - first };
}
