import type { ClientConnection } from '../../wire/client-connection.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import type { RelayPermit } from './relay-permit.js';
import type { RelayTarget } from '../upstream/request-opener.js';

/**
 * Relaying for a control ticket: as an operation of it, which is counted and can be cancelled.
 * @param image that the ticket's url names
 */
export function ticketPermit(permit: TicketPermit, image: RelayTarget): RelayPermit {
  const { transferId, inactivityTimeoutSeconds, sizeBytes } = permit;
  return {
    image,
    transferId,
    inactivityTimeoutSeconds,
    sizeBytes,
    sessionId: undefined,
    begin: (exchange, kind, onProgress) => {
      const lease = permit.begin(kind, exchange, { onProgress });
      countConnection(exchange.connection, permit);
      return lease;
    },
  };
}

/** A ticket counts the client connections that used it. It has just given a lease, so it still takes them. */
function countConnection(connection: ClientConnection, permit: TicketPermit): void {
  if (connection.resource(permit) !== undefined) return;
  const used = {
    close: async (): Promise<void> => {
      connection.forget(permit);
      permit.detach(used);
    },
  };
  permit.attach(used);
  connection.keep(permit, used);
}
