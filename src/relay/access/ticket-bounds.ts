import type { IncomingMessage } from 'node:http';
import { parseContentRangeStart, parseRange } from '../../wire/headers/content-range.js';
import { yesOrNo } from '../../wire/headers/query-flag.js';
import { checkWithinTicket, resolveRange } from '../../tickets/range-check.js';
import type { ImageRequest } from './image-request.js';

/**
 * Refuses what a control ticket does not cover, as the daemon would for a ticket of that size, before the
 * daemon is asked (docs/protocol.md, "Control tickets at a proxy"). What a PATCH wants is said in its body,
 * which is not read here: that is the business of the daemon's ticket alone.
 * @throws RangeNotSatisfiableError, or InvalidRequestError for what is malformed, which goes before ranges
 */
export function checkRequestWithin(
  { method, headers }: IncomingMessage,
  { kind, subResource, query }: ImageRequest,
  sizeBytes: number,
): void {
  if (subResource !== '') return;
  const { range, 'if-range': condition, 'content-range': contentRange } = headers;
  if (kind === 'read' && range !== undefined && condition === undefined) {
    const requested = parseRange(range);
    checkFlags(query, ['close']);
    resolveRange(requested, sizeBytes, 'ticket');
  }
  if (method === 'PUT') {
    const offsetBytes = parseContentRangeStart(contentRange);
    checkFlags(query, ['flush', 'close']);
    // The length of a chunked body is known only at its end, so nothing can be checked here.
    const { 'content-length': contentLength = '0' } = headers;
    checkWithinTicket({ offsetBytes, lengthBytes: Number(contentLength) }, sizeBytes);
  }
}

function checkFlags(query: string, names: readonly string[]): void {
  if (query === '') return;
  const parameters = new URLSearchParams(query);
  for (const name of names) {
    const values = parameters.getAll(name);
    yesOrNo({ [name]: values.length > 1 ? values : values[0] }, name, true);
  }
}
