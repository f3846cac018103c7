import type { INestApplicationContext } from '@nestjs/common';
import type { Config } from '../config/config.js';
import { removeJournal, TICKET_JOURNAL } from '../tickets/journal/open-journal.js';
import type { TicketJournal } from '../tickets/journal/ticket-journal.js';

/** What happens to tickets is acknowledged only when it is kept. To be called before requests come. */
export function expectRequests(application: INestApplicationContext): void {
  application.get<TicketJournal | undefined>(TICKET_JOURNAL)?.expectRequests();
}

/**
 * From now on tickets are kept for the process that comes next, if the configuration wants that. To be called
 * when the listeners are bound and the process is the user that it stays.
 * @throws Error of the system when they cannot be kept
 */
export async function keepTickets(application: INestApplicationContext, { daemon }: Config): Promise<void> {
  const journal = application.get<TicketJournal | undefined>(TICKET_JOURNAL);
  if (journal === undefined) await removeJournal(daemon.runDir);
  else await journal.begin();
}
