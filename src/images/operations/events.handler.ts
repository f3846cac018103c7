import { Inject, Injectable } from '@nestjs/common';
import { followTicket } from '../../tickets/ticket-follower.js';
import { TICKET_STORE, type TicketStore } from '../../tickets/ticket.store.js';
import { EventStreams } from '../../wire/event-stream.js';
import type { Exchange } from '../../wire/exchange.js';
import { ImageOperations } from '../transfer/image-operations.js';
import type { AskedImage, ImageHandler } from './image-handler.js';

/** GET /images/{id}/events: what happens to a ticket, as it happens (docs/protocol.md, "Events"). */
@Injectable()
export class EventsHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    @Inject(TICKET_STORE) private readonly tickets: TicketStore,
    private readonly streams: EventStreams,
  ) {}

  async handle(exchange: Exchange, { ticketId }: AskedImage): Promise<void> {
    const permit = await this.operations.authorize(exchange, { ticketId, access: 'read' });
    exchange.logFields['operation'] = 'events';
    exchange.polled = true;
    await followTicket({
      tickets: this.tickets,
      permit,
      lastEventId: [exchange.request.headers['last-event-id']].flat()[0],
      begin: () => this.streams.begin(exchange),
      onDrain: (listener) => {
        exchange.onDrain(listener);
      },
    });
  }
}
