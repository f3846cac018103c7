import type { Credentials, ShownCredentials } from '../../sessions/credentials.js';
import type { TicketDefinition } from '../../tickets/ticket-definition.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import type { TicketStore } from '../../tickets/ticket.store.js';
import type { ImageRequest } from './image-request.js';
import type { RelayPermit } from './relay-permit.js';
import { sessionPermit } from './session-permit.js';
import { ticketPermit } from './ticket-permit.js';
import { daemonTargetOf, type DaemonTarget } from '../../daemons/ticket-url.js';

/** What decides over sessions and signed tickets: `Credentials` in the proxy. */
export type SessionCredentials = Pick<Credentials, 'find' | 'refusal'>;

export const SESSION_CREDENTIALS = Symbol('SESSION_CREDENTIALS');

/** What the headers and the connection of a request tell of who asks. */
export interface ClientCredentials {
  readonly authorization: string | undefined;
  readonly sessionId: string | undefined;
  /** Where failed authentications are counted. */
  readonly address: string | undefined;
}

export interface RelayAccessOptions {
  /** How long a client may be silent that has a session. A signed ticket has no such time of its own. */
  readonly inactivityTimeoutSeconds: number;
  /** Take tickets for daemons without TLS: only where TLS is off altogether. */
  readonly allowHttp: boolean;
}

/**
 * Decides which image on which daemon a request may be relayed to, and by what right, in the order of
 * docs/protocol.md, "Credentials".
 */
export class RelayAccess {
  /** Where tickets lead to, parsed once for each. */
  readonly #targets = new WeakMap<TicketDefinition, DaemonTarget>();

  constructor(
    private readonly credentials: SessionCredentials,
    private readonly tickets: TicketStore,
    private readonly options: RelayAccessOptions,
  ) {}

  /**
   * @throws UnauthenticatedError when nothing was shown, NotAllowedError when what was shown does not allow
   *   it, InvalidRequestError when it is for another image, UnavailableError when there are too many
   *   sessions, StorageError when the url of the ticket names no image on a daemon
   */
  async permit(request: ImageRequest, client: ClientCredentials): Promise<RelayPermit> {
    const shown: ShownCredentials = {
      authorization: client.authorization,
      sessionIdHeader: client.sessionId,
      sessionIdQuery: request.sessionIdQuery,
      ticketId: request.ticketId,
      clientAddress: client.address,
    };
    const authorization = await this.credentials.find(shown);
    if (authorization !== undefined) {
      return sessionPermit(authorization, this.options.inactivityTimeoutSeconds);
    }
    const ticket = await this.#findTicket(request);
    if (ticket === undefined) throw this.credentials.refusal(shown);
    return ticketPermit(ticket, this.#target(ticket.definition), (listener) =>
      this.tickets.watch(ticket.definition.id, listener),
    );
  }

  /** @throws NotAllowedError when there is a ticket that forbids the request */
  async #findTicket({ ticketId, access }: ImageRequest): Promise<TicketPermit | undefined> {
    if ((await this.tickets.find(ticketId)) === undefined) return undefined;
    return this.tickets.authorize(ticketId, access);
  }

  /** @throws StorageError */
  #target(definition: TicketDefinition): DaemonTarget {
    let target = this.#targets.get(definition);
    if (target === undefined) {
      target = daemonTargetOf(definition.url, this.options.allowHttp);
      this.#targets.set(definition, target);
    }
    return target;
  }
}
