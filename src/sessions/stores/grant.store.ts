import type { Session } from '../session.js';
import type { Grant } from '../grant.js';

/**
 * Where grants are that `PUT /tickets/` stored, by the id of their transfer ticket.
 * Shared like a `SessionStore`.
 */
export interface GrantStore {
  /**
   * Stores a grant, or renews the one of the same transfer ticket; requests that run for that one go on.
   * @throws UnavailableError when there are as many as may be
   */
  put(grant: Grant): Promise<Session>;

  /** The stored grant of a transfer ticket, while it has not ended. */
  find(transferTicketId: string): Promise<Session | undefined>;

  /** Ends a stored grant, cancelling what runs for it; false when there was none. */
  delete(transferTicketId: string): Promise<boolean>;

  /** How many there are. */
  count(): Promise<number>;

  /** Ends what is there (in this process) and lets go of timers and connections. */
  close(): Promise<void>;
}

export const GRANT_STORE = Symbol('GRANT_STORE');
