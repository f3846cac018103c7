import type { Session } from '../session.js';
import type { SessionTableOptions } from './memory-session.table.js';
import type { Grant } from '../grant.js';

export interface SessionStoreOptions extends SessionTableOptions {
  /**
   * How many of them may be of one transfer ticket. Whoever has its signed ticket can open sessions without
   * end, and must not use up those of everybody.
   */
  readonly sessionsPerTicketMax: number;
}

/**
 * Where the proxy's sessions are. Asynchronous, and without a word on where they live, so that several
 * proxies behind one address can share a store: whoever deletes a session, requests that run for it are
 * cancelled in every one of them (through the leases of `Session.begin`).
 *
 * A deleted session leaves no memory behind, so the signed ticket that opened it can open another while it is
 * valid: clients do so after a pause. The engine makes it worthless by removing the ticket on the daemon.
 */
export interface SessionStore {
  /**
   * Opens a new session. If its transfer ticket has as many as it may, one of those ends: of those that no
   * request runs for the one that was opened first, or else the one that was opened first.
   * @throws UnavailableError when there are as many as may be
   */
  create(grant: Grant): Promise<Session>;

  /**
   * The live session that this very ticket (by its fingerprint) opened or renewed before, or else a new
   * one. For clients that show their signed ticket with each request: they must not open a session with
   * each. A new one is opened like by `create`.
   * @throws UnavailableError when there are as many as may be
   */
  findOrCreate(grant: Grant): Promise<Session>;

  /**
   * Gives a live session another grant for the same transfer ticket; undefined when there is none of that
   * id and ticket. A session never passes to another transfer ticket: whoever else knows its id would be
   * handed what that ticket opens.
   */
  renew(sessionId: string, grant: Grant): Promise<Session | undefined>;

  /** The live session of that id. */
  find(sessionId: string): Promise<Session | undefined>;

  /** Ends a session, cancelling what runs for it; false when there was none of that id. */
  delete(sessionId: string): Promise<boolean>;

  /** How many there are. */
  count(): Promise<number>;

  /** Ends what is there (in this process) and lets go of timers and connections. */
  close(): Promise<void>;
}

export const SESSION_STORE = Symbol('SESSION_STORE');
