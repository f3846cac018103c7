import type { ReceivedSnapshot } from './received-ranges.js';
import type { TicketDefinition } from './ticket-definition.js';

/** What becomes of a ticket over time, apart from the bytes that it has brought. */
export interface TicketState {
  /** Seconds of CLOCK_MONOTONIC, which goes on while no process runs. */
  readonly expiresSeconds: number;
  /** The last activity, on the same clock. */
  readonly activeAtSeconds: number;
  readonly canceled: boolean;
  /** What was transferred, each range as its start and end. */
  readonly transferred: readonly (readonly [start: number, end: number])[];
}

/** A ticket as the process that comes next is to have it. */
export interface SavedTicket {
  readonly definition: TicketDefinition;
  readonly state: TicketState;
  readonly received: ReceivedSnapshot;
}
