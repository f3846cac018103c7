import type { LogFields } from '../wire/exchange.js';
import type { TicketDefinition } from './ticket-definition.js';

/**
 * What the log says of a ticket that is added. Not the url: that of a relayed image has
 * the id of another ticket in it.
 */
export function ticketLogFields({ transferId, size, ops, timeoutSeconds }: TicketDefinition): LogFields {
  return {
    transfer_id: transferId,
    size: size > BigInt(Number.MAX_SAFE_INTEGER) ? String(size) : Number(size),
    ops: ops.join(','),
    timeout: timeoutSeconds,
  };
}
