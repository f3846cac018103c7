import type { Exchange } from '../wire/exchange.js';
import { asksForReceived, receivedFields, receivedRangesMax } from '../wire/headers/upload-parallel.js';
import type { TicketPermit } from './ticket-permit.js';

/**
 * Has the answer to a request that changes the image tell what of it is there, if the client wants to know:
 * a refusal too, which may come after a part of the request was done (docs/protocol.md, "Parallel uploads").
 */
export function tellReceived(exchange: Exchange, { received }: TicketPermit): void {
  if (!asksForReceived(exchange.request)) return;
  exchange.supplementAnswer(() => ({
    headers: receivedFields(received.outline(receivedRangesMax)),
    members: { durable_bytes: received.durableBytes },
  }));
}
