import type { IncomingMessage } from 'node:http';
import type { OperationKind } from '../../contract/operation-kind.js';
import type { TicketAccess } from '../../tickets/ticket-definition.js';
import type { RelayedRoute } from './relayed-routes.js';

/** A request for an image that is to be relayed, as its method, path and query say. */
export interface ImageRequest {
  readonly ticketId: string;
  /** What follows the id in the path; empty for the image itself. */
  readonly subResource: string;
  readonly kind: OperationKind;
  /** The daemon answers only when all of the work is done. */
  readonly isLongWork: boolean;
  readonly hasEarlyHead: boolean;
  readonly access: TicketAccess;
  /** The query for the daemon, with its `?`; empty without one. */
  readonly query: string;
  readonly sessionIdQuery: string | undefined;
  /** `close=y`: the connection ends after the answer. */
  readonly closes: boolean;
}

const sessionParameter = 'session_id';

/** @param parameters of the path, beside the id */
export function imageRequest(
  { method = '', url = '' }: IncomingMessage,
  ticketId: string,
  {
    path,
    kind,
    isLongWork,
    hasEarlyHead = false,
  }: Pick<RelayedRoute, 'path' | 'kind' | 'isLongWork' | 'hasEarlyHead'>,
  parameters: Readonly<Record<string, string>> = {},
): ImageRequest {
  const queryStart = url.indexOf('?');
  const rawQuery = queryStart < 0 ? '' : url.slice(queryStart + 1);
  const queryParameters = new URLSearchParams(rawQuery);
  const isWrite = method === 'PUT' || method === 'PATCH' || method === 'POST';
  return {
    ticketId,
    subResource: path.replace(':job', () => parameters['job'] ?? ''),
    kind,
    isLongWork,
    // Whether it is what is expected is a status, which the daemon alone can tell.
    hasEarlyHead: hasEarlyHead && !queryParameters.has('expect'),
    access: isWrite ? 'write' : 'read',
    query: withoutSession(rawQuery),
    sessionIdQuery: queryParameters.get(sessionParameter) ?? undefined,
    closes: queryParameters.get('close') === 'y',
  };
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
