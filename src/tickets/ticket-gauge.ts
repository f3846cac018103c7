import type { SampledGaugeOptions } from '../observability/sampled-gauge.js';
import type { TicketStore } from './ticket.store.js';

/** Shows how many tickets there are. */
export function ticketGauge(tickets: TicketStore): SampledGaugeOptions {
  return {
    name: 'imageio_tickets',
    help: 'Tickets in the store, also those that have expired and were not removed',
    read: async () => [{ value: await tickets.count() }],
  };
}
