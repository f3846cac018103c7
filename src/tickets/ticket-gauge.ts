import type { SampledGaugeOptions } from '../observability/sampled-gauge.js';
import type { TicketStore } from './ticket.store.js';

/** Shows how many tickets the process before has left. @param count read once at the start */
export function restoredTicketsGauge(count: number): SampledGaugeOptions {
  return {
    name: 'imageio_tickets_restored',
    help: 'Tickets that the process before this one has left, by [daemon] keep_tickets',
    read: () => [{ value: count }],
  };
}

/** Shows how many tickets there are. */
export function ticketGauge(tickets: TicketStore): SampledGaugeOptions {
  return {
    name: 'imageio_tickets',
    help: 'Tickets in the store, also those that have expired and were not removed',
    read: async () => [{ value: await tickets.count() }],
  };
}
