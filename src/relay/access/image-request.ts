import type { IncomingMessage } from 'node:http';
import type { OperationKind } from '../../tickets/operation-kind.js';
import type { TicketAccess } from '../../tickets/ticket-definition.js';

/** What follows the id in the path; empty for the image itself. */
export type SubResource = '' | '/extents' | '/checksum' | '/checksum/algorithms';

/** A request for an image that is to be relayed, as its method, path and query say. */
export interface ImageRequest {
  readonly ticketId: string;
  readonly subResource: SubResource;
  readonly kind: OperationKind;
  readonly access: TicketAccess;
  /** The query for the daemon, with its `?`; empty without one. */
  readonly query: string;
  readonly sessionIdQuery: string | undefined;
  /** `close=y`: the connection ends after the answer. */
  readonly closes: boolean;
}

const sessionParameter = 'session_id';

export function imageRequest(
  { method = '', url = '' }: IncomingMessage,
  ticketId: string,
  subResource: SubResource,
): ImageRequest {
  const queryStart = url.indexOf('?');
  const rawQuery = queryStart < 0 ? '' : url.slice(queryStart + 1);
  const parameters = new URLSearchParams(rawQuery);
  const isWrite = method === 'PUT' || method === 'PATCH' || method === 'POST';
  return {
    ticketId,
    subResource,
    kind: operationKind(method, subResource),
    access: isWrite ? 'write' : 'read',
    query: withoutSession(rawQuery),
    sessionIdQuery: parameters.get(sessionParameter) ?? undefined,
    closes: parameters.get('close') === 'y',
  };
}

function operationKind(method: string, subResource: SubResource): OperationKind {
  if (method === 'OPTIONS') return 'options';
  if (method === 'PUT' || method === 'POST') return 'write';
  // Which of its operations a PATCH is, its body tells, which is not here yet.
  if (method === 'PATCH') return 'zero';
  if (subResource === '/extents') return 'extents';
  return subResource === '' ? 'read' : 'checksum';
}

/** The other parameters exactly as they were sent. */
function withoutSession(rawQuery: string): string {
  if (rawQuery === '') return '';
  const kept = rawQuery
    .split('&')
    .filter((parameter) => !new URLSearchParams(parameter).has(sessionParameter));
  const query = kept.join('&');
  return query === '' ? '' : `?${query}`;
}
