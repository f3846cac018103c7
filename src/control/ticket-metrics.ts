import type { Metrics } from '../observability/metrics.js';
import type { TicketStore } from '../tickets/ticket.store.js';

/** Shows how many tickets there are. */
export function showTickets(metrics: Metrics, tickets: TicketStore): void {
  metrics.sample({
    name: 'imageio_tickets',
    help: 'Tickets in the store, also those that have expired and were not removed',
    read: async () => [{ value: await tickets.count() }],
  });
}
