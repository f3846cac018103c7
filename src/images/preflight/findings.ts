import type { Finding } from './finding.js';
import { wholeImageFindings } from './image-findings.js';
import type { PreflightFacts, TicketFacts, TransferPlan } from './preflight-facts.js';
import { troubleFinding } from './trouble-findings.js';

/** All that is to be said about a transfer before it, in the order of the contract. */
export function findings(facts: PreflightFacts): readonly Finding[] {
  const { plan, ticket, image } = facts;
  return [
    ...ticketFindings(plan, ticket),
    ...(typeof image === 'string' ? [troubleFinding(image)] : wholeImageFindings(plan, ticket, image)),
  ];
}

/** As long as clients wait for one answer: a ticket that ends sooner may end while they do. */
const ticketSecondsMin = 60;

/** Clients that have nothing to send keep their connection alive about every 30 s. */
const inactivitySecondsMin = 30;

function* ticketFindings({ sizeBytes }: TransferPlan, ticket: TicketFacts): Generator<Finding> {
  if (sizeBytes !== undefined && sizeBytes > ticket.sizeBytes) {
    yield {
      code: 'size_exceeds_ticket',
      severity: 'error',
      message: `The transfer has ${sizeBytes} bytes, the ticket allows ${ticket.sizeBytes}`,
      advice: 'Ask whoever made the ticket for one of the size of the transfer.',
    };
  }
  if (ticket.remainingSeconds < ticketSecondsMin) {
    yield {
      code: 'ticket_ends_soon',
      severity: 'warning',
      message: `The ticket ends in ${Math.floor(ticket.remainingSeconds)} s unless it is used or extended`,
      advice: 'Begin at once, or have the ticket extended. This request has not prolonged it.',
    };
  }
  if (ticket.inactivityTimeoutSeconds < inactivitySecondsMin) {
    yield {
      code: 'inactivity_timeout_short',
      severity: 'warning',
      message: `A connection that is silent for ${ticket.inactivityTimeoutSeconds} s is closed`,
      advice: 'Do not pause for longer within a request or between two of a connection.',
    };
  }
}
