import { Inject, Injectable, Optional } from '@nestjs/common';
import { FailedAuthentications } from './failed-authentications.js';
import type { Session } from './session.js';
import { SESSION_STORE, type SessionStore } from './stores/session.store.js';
import { GRANT_STORE, type GrantStore } from './stores/grant.store.js';
import { TICKET_VERIFIER, type TicketVerifier } from './signed-tickets/ticket.verifier.js';
import type { Grant } from './grant.js';
import {
  InvalidRequestError,
  NotAllowedError,
  type ServiceError,
  UnauthenticatedError,
} from '../base/errors.js';

/** The credentials that came with a request for `/images/{ticket-id}`. An empty text counts as absent. */
export interface ShownCredentials {
  /** The `Authorization` header: a signed ticket, without a scheme before it. */
  readonly authorization?: string | undefined;
  /** The `Session-Id` header. */
  readonly sessionIdHeader?: string | undefined;
  /** The `session_id` query parameter. */
  readonly sessionIdQuery?: string | undefined;
  /** The id in the path, decoded. */
  readonly ticketId: string;
  /** Where the request comes from: failures are limited for each address. */
  readonly clientAddress?: string | undefined;
}

/** What a request was authorised by. */
export interface Authorization {
  /** Has the grant. A request that it allows registers with `session.begin` while it runs. */
  readonly session: Session;
  /**
   * To be sent as the response's `Session-Id`; absent for a stored grant, which has no
   * session that a client could use.
   */
  readonly sessionId?: string;
}

/** Decides what a 1.x client may do, in the order of docs/protocol.md, "Credentials". */
@Injectable()
export class Credentials {
  constructor(
    @Inject(TICKET_VERIFIER) private readonly verifier: TicketVerifier,
    @Inject(SESSION_STORE) private readonly sessions: SessionStore,
    @Inject(GRANT_STORE) private readonly grants: GrantStore,
    @Optional() private readonly failures?: FailedAuthentications,
  ) {}

  /**
   * `POST /sessions/`: opens a session for a signed ticket, or renews the live one of the same transfer
   * ticket whose id is in the header beside it, under the same id. A live session alone is answered as it
   * is.
   * @throws UnauthenticatedError when the ticket does not verify, or there is none and no live session either
   * @throws UnavailableError when there are too many sessions, or the address of the client failed too often
   */
  async openSession(shown: Omit<ShownCredentials, 'ticketId'>): Promise<Session> {
    if (shown.authorization) {
      const grant = this.verify(shown.authorization, shown.clientAddress);
      return (await this.#renewSession(grant, shown)) ?? this.sessions.create(grant);
    }
    const session = await this.#findSession(shown);
    if (!session) {
      const error = new UnauthenticatedError('Neither a signed ticket nor a live session was shown');
      throw this.failure(error, shown.clientAddress);
    }
    return session;
  }

  /**
   * Finds what allows the request.
   * @returns the session or stored grant that allows it
   * @throws UnauthenticatedError when nothing was shown, or a signed ticket that does not verify
   * @throws InvalidRequestError when what was shown is for another transfer ticket than the path's
   * @throws NotAllowedError when a session was shown that is unknown or over
   * @throws UnavailableError when a session would have to be opened and there are too many
   */
  async authorize(shown: ShownCredentials): Promise<Authorization> {
    const authorization = await this.find(shown);
    if (!authorization) throw this.refusal(shown);
    return authorization;
  }

  /**
   * Like `authorize`, but returns undefined where neither a session, nor a signed ticket, nor a
   * stored grant allows the request. The caller may still know the id as that of a control ticket; if
   * it does not, it throws `refusal`.
   */
  async find(shown: ShownCredentials): Promise<Authorization | undefined> {
    if (shown.authorization) return this.#findBySignedTicket(shown.authorization, shown);
    const session = await this.#findSession(shown);
    if (session) {
      requireMatch(session.grant, shown.ticketId);
      return { session, sessionId: session.id };
    }
    const stored = await this.grants.find(shown.ticketId);
    return stored && { session: stored };
  }

  /** The error for a request that nothing authorises. */
  refusal(shown: ShownCredentials): ServiceError {
    const error =
      shown.sessionIdHeader || shown.sessionIdQuery
        ? new NotAllowedError('the session is unknown or has expired')
        : new UnauthenticatedError('No signed ticket and no session was shown');
    return this.failure(error, shown.clientAddress);
  }

  /**
   * Verifies a signed ticket.
   * @throws UnauthenticatedError, or TooManyFailuresError when the address of the client failed too often
   */
  verify(ticket: string, clientAddress: string | undefined): Grant {
    try {
      return this.verifier.verify(ticket);
    } catch (error) {
      throw error instanceof UnauthenticatedError ? this.failure(error, clientAddress) : error;
    }
  }

  /** Counts a failed authentication. @returns what to answer it with */
  failure(error: ServiceError, clientAddress: string | undefined): ServiceError {
    return this.failures?.refusal(clientAddress, error) ?? error;
  }

  /**
   * A signed ticket that is shown is judged, even if the request would be allowed without it: a
   * client that sends one relies on it.
   */
  async #findBySignedTicket(ticket: string, shown: ShownCredentials): Promise<Authorization> {
    const grant = this.verify(ticket, shown.clientAddress);
    requireMatch(grant, shown.ticketId);
    const session = (await this.#renewSession(grant, shown)) ?? (await this.sessions.findOrCreate(grant));
    return { session, sessionId: session.id };
  }

  /**
   * 1.x clients renew their session with any request that has a newer ticket and the session's id in the
   * header. An id in the query renews nothing: it is part of a link, which may be somebody else's. The
   * session of another transfer ticket is left as it is, and the request goes on as with an unknown id: so
   * the answer tells nothing of sessions of others, and a client that went on to its next transfer with the
   * old id learns the new one from the answer's `Session-Id`.
   */
  async #renewSession(
    grant: Grant,
    { sessionIdHeader }: Pick<ShownCredentials, 'sessionIdHeader'>,
  ): Promise<Session | undefined> {
    return sessionIdHeader ? this.sessions.renew(sessionIdHeader, grant) : undefined;
  }

  async #findSession(shown: Omit<ShownCredentials, 'ticketId'>): Promise<Session | undefined> {
    const sessionId = shown.sessionIdHeader || shown.sessionIdQuery;
    return sessionId ? this.sessions.find(sessionId) : undefined;
  }
}

function requireMatch(grant: Grant, ticketId: string): void {
  if (grant.transferTicketId !== ticketId) {
    throw new InvalidRequestError('Requested resource must match transfer ticket');
  }
}
