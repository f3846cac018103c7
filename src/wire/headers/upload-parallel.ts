import type { IncomingMessage } from 'node:http';
import { parseItem, serializeList, type List } from 'structured-headers';
import type { ByteRange } from '../../base/units.js';

/** How many ranges an answer names, so that no head grows beyond what clients take. */
export const receivedRangesMax = 32;

/** No integer of a structured field is larger (RFC 9651 section 3.3.1). */
const integerMax = 999_999_999_999_999;

/**
 * Whether a request that changes an image wants to hear what of it is there (docs/protocol.md, "Parallel
 * uploads"). A field that is not `?1` is ignored: it asks for nothing that an upload should fail for.
 */
export function asksForReceived({ method, headers }: IncomingMessage): boolean {
  const { 'upload-parallel': field } = headers;
  if (typeof field !== 'string' || (method !== 'PUT' && method !== 'PATCH')) return false;
  try {
    const [value] = parseItem(field) as readonly unknown[];
    return value === true;
  } catch {
    return false;
  }
}

/**
 * The headers that tell what is there. What a structured field has no number for is left out, so that they
 * say too little and never too much.
 * @param ranges in order, with something missing between any two of them
 */
export function receivedFields(ranges: readonly ByteRange[]): Record<string, string> {
  const [first] = ranges;
  const offsetBytes = first?.offsetBytes === 0 ? first.lengthBytes : 0;
  const list: List = ranges
    .filter(({ offsetBytes: start }) => start <= integerMax)
    .slice(0, receivedRangesMax)
    .map(({ offsetBytes: start, lengthBytes }) => [
      [item(start), item(lengthBytes)],
      new Map<string, never>(),
    ]);
  return {
    'Upload-Offset': String(Math.min(offsetBytes, integerMax)),
    // An empty list has no field (RFC 9651 section 3.1).
    ...(list.length === 0 ? {} : { 'Upload-Received': serializeList(list) }),
  };
}

function item(value: number): [number, Map<string, boolean>] {
  return [Math.min(value, integerMax), new Map<string, boolean>()];
}
