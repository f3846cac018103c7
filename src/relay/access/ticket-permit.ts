import type { ClientConnection } from '../../wire/client-connection.js';
import { NotAllowedError } from '../../base/errors.js';
import type { Lease } from '../../base/lease.js';
import type { TicketListener } from '../../tickets/ticket-watch.js';
import type { Exchange } from '../../wire/exchange.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import type { RelayPermit } from './relay-permit.js';
import type { DaemonTarget } from '../../daemons/ticket-url.js';

/**
 * Relaying for a control ticket: as an operation of it, which is counted and can be cancelled.
 * Following it is none, and ends with it all the same.
 * @param image that the ticket's url names
 * @param watch hears what happens to the ticket, until what it returns is called
 */
export function ticketPermit(
  permit: TicketPermit,
  image: DaemonTarget,
  watch: (listener: TicketListener) => () => void,
): RelayPermit {
  const { transferId, inactivityTimeoutSeconds, sizeBytes } = permit;
  return {
    image,
    transferId,
    inactivityTimeoutSeconds,
    sizeBytes,
    sessionId: undefined,
    begin: (exchange, kind, onProgress) => {
      if (kind === 'events') return untilTicketEnds(exchange, watch);
      const lease = permit.begin(kind, exchange, { onProgress });
      countConnection(exchange.connection, permit);
      return lease;
    },
  };
}

function untilTicketEnds(exchange: Exchange, watch: (listener: TicketListener) => () => void): Lease {
  const stop = watch(({ kind }) => {
    if (kind === 'expired') exchange.abort(new NotAllowedError('Ticket expired'));
    else if (kind === 'cancelled') exchange.abort(new NotAllowedError('Ticket was canceled'));
  });
  const nothing = (): void => undefined;
  return { signal: exchange.signal, progressed: nothing, holdBack: nothing, confirm: nothing, end: stop };
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
