import type { Grant } from '../grant.js';

/** Turns the credential of a 1.x client into what it grants. */
export interface TicketVerifier {
  /**
   * What operators should be told loudly when the service starts: settings under which
   * tickets are not safe, or never valid.
   */
  readonly warnings: readonly string[];

  /**
   * @param ticket as it came in `Authorization` or as the body of `PUT /tickets/`
   * @throws UnauthenticatedError with a short reason, which quotes nothing of the
   *   ticket; no other error, whatever came
   */
  verify(ticket: string): Grant;
}

export const TICKET_VERIFIER = Symbol('TICKET_VERIFIER');
