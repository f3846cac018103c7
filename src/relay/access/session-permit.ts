import type { Authorization } from '../../sessions/credentials.js';
import { transferName } from '../../sessions/grant.js';
import type { RelayPermit } from './relay-permit.js';
import { imagePath } from '../../daemons/ticket-url.js';

/** Relaying for a session or a stored grant: as long as it lasts. */
export function sessionPermit(
  { session, sessionId }: Authorization,
  inactivityTimeoutSeconds: number,
): RelayPermit {
  const { imagedUri, transferTicketId } = session.grant;
  return {
    image: { origin: imagedUri, path: imagePath(transferTicketId) },
    transferId: transferName(session.grant),
    inactivityTimeoutSeconds,
    // Only the daemon's ticket says it.
    sizeBytes: undefined,
    sessionId,
    begin: (exchange, _kind, onProgress) => session.begin(exchange, onProgress),
  };
}
