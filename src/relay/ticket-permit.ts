import type { ClientConnection, ConnectionResource } from '../http/client-connection.js';
import type { Ticket, TicketConnection } from '../tickets/ticket.js';
import type { RelayPermit, RunningRelay } from './relay-permit.js';
import { relayTargetOf } from './ticket-url.js';

/**
 * Relaying for a control ticket: as an operation of it, which is counted and can be cancelled.
 * @throws StorageError when the ticket's url names no image on a daemon
 */
export function ticketPermit(ticket: Ticket, allowHttp: boolean): RelayPermit {
  return {
    image: relayTargetOf(ticket.definition.url, allowHttp),
    transferId: ticket.transferId,
    inactivityTimeoutSeconds: ticket.definition.inactivityTimeoutSeconds,
    sessionId: undefined,
    begin({ connection }, { kind }): RunningRelay {
      const operation = ticket.begin(kind);
      try {
        if (connection.resource(ticket) === undefined) new UsedTicket(connection, ticket).open();
      } catch (error: unknown) {
        operation.end();
        throw error;
      }
      return {
        signal: operation.signal,
        progressed: (range) => {
          operation.progress(range);
        },
        end: () => {
          operation.end();
        },
      };
    },
  };
}

/** A client connection that used a ticket: the ticket counts them. */
class UsedTicket implements ConnectionResource, TicketConnection {
  constructor(
    private readonly connection: ClientConnection,
    private readonly ticket: Ticket,
  ) {}

  /** @throws NotAllowedError when the ticket was cancelled meanwhile */
  open(): void {
    this.ticket.attach(this);
    this.connection.keep(this.ticket, this);
  }

  async close(): Promise<void> {
    this.connection.forget(this.ticket);
    this.ticket.detach(this);
  }
}
