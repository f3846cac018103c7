import { NotAllowedError, UnavailableError } from '../errors.js';
import type { Authorization } from '../sessions/credentials.js';
import type { SessionEnd } from '../sessions/session.js';
import { transferName } from '../sessions/transfer-grant.js';
import type { RelayPermit, RunningRelay } from './relay-permit.js';
import { imagePath } from './ticket-url.js';

const stoppingRetryAfterSeconds = 5;

/** Relaying for a session or a stored signed ticket: as long as it lasts. */
export function sessionPermit(
  { session, sessionId }: Authorization,
  inactivityTimeoutSeconds: number,
): RelayPermit {
  const { imagedUri, transferTicketId } = session.grant;
  return {
    image: { origin: imagedUri, path: imagePath(transferTicketId) },
    transferId: transferName(session.grant),
    inactivityTimeoutSeconds,
    sizeBytes: undefined,
    sessionId,
    begin(exchange): RunningRelay {
      const end = session.run((reason) => {
        exchange.abort(sessionEnded(reason));
      });
      // Sessions keep no account of what was transferred: the daemon's ticket does.
      // Neither do they say the image's size.
      return {
        checkAnswer: () => undefined,
        progressed: () => undefined,
        end,
      };
    },
  };
}

function sessionEnded(end: SessionEnd): Error {
  if (end === 'closed') return new UnavailableError('The service is stopping', stoppingRetryAfterSeconds);
  return new NotAllowedError(end === 'deleted' ? 'the session was deleted' : 'the session has expired');
}
