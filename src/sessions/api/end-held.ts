import type { FastifyRequest } from 'fastify';
import { NotFoundError } from '../../base/errors.js';
import type { LogFields } from '../../wire/exchange.js';
import type { Credentials } from '../credentials.js';
import { transferName } from '../grant.js';
import type { Session } from '../session.js';

/** Where something is held that whoever knows its id may end: sessions, stored grants. */
interface Holder {
  find(id: string): Promise<Session | undefined>;
  delete(id: string): Promise<boolean>;
}

export interface EndRequest {
  readonly credentials: Credentials;
  readonly request: FastifyRequest;
  /** Told which transfer it was. */
  readonly logFields: LogFields;
  /** What the client is told when nothing has that id. */
  readonly missing: string;
}

/**
 * Ends what `holder` has under `id`. An id that nothing has counts as a failed authentication, since whoever
 * guesses ids would try them here.
 * @throws NotFoundError, or TooManyFailuresError when the address of the client failed too often
 */
export async function endHeld(
  holder: Holder,
  id: string,
  { credentials, request, logFields, missing }: EndRequest,
): Promise<void> {
  const held = await holder.find(id);
  if (held !== undefined) logFields['transfer_id'] = transferName(held.grant);
  if (await holder.delete(id)) return;
  throw credentials.failure(new NotFoundError(missing), request.raw.socket.remoteAddress);
}
