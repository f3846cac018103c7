import type { ClientConnection, ConnectionResource } from '../http/client-connection.js';
import type { Ticket, TicketConnection } from '../tickets/ticket.js';
import { checkWithinTicket } from '../tickets/range-check.js';
import type { RelayPermit, RunningRelay } from './relay-permit.js';
import type { RelayTarget } from './relay.proxy.js';
import { beyondTicket, checkRequestWithin } from './ticket-bounds.js';

/**
 * Relaying for a control ticket: as an operation of it, which is counted and can be cancelled.
 * @param image that the ticket's url names
 */
export function ticketPermit(ticket: Ticket, image: RelayTarget): RelayPermit {
  return {
    image,
    transferId: ticket.transferId,
    inactivityTimeoutSeconds: ticket.definition.inactivityTimeoutSeconds,
    sizeBytes: ticket.sizeBytes,
    sessionId: undefined,
    begin(exchange, wanted): RunningRelay {
      const { connection, request } = exchange;
      checkRequestWithin(request, wanted, ticket);
      const { kind } = wanted;
      const operation = ticket.begin(kind);
      try {
        if (connection.resource(ticket) === undefined) new UsedTicket(connection, ticket).open();
      } catch (error: unknown) {
        operation.end();
        throw error;
      }
      const onAbort = (): void => {
        exchange.abort(operation.signal.reason as Error);
      };
      operation.signal.addEventListener('abort', onAbort);
      return {
        checkAnswer: (range) => {
          checkWithinTicket(range, ticket);
        },
        progressed: (range) => {
          const refusal = request.method === 'PUT' ? beyondTicket(range, ticket) : undefined;
          if (refusal === undefined) operation.progress(range);
          else operation.abort(refusal);
        },
        end: () => {
          operation.signal.removeEventListener('abort', onAbort);
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
