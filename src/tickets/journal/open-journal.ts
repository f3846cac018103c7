import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../log/logger.js';
import type { MemoryTicketStore } from '../memory-ticket.store.js';
import { readJournalFile } from './journal-file.js';
import { replayJournal, type Replayed } from './journal-replay.js';
import { TicketJournal } from './ticket-journal.js';

/** What the process says of tickets that it may find. */
export interface JournalTrust {
  /** Of this boot of the host; undefined where it cannot be known. */
  readonly bootId: string | undefined;
  /** Users whose journal is believed: the one that starts the service, and the one that it becomes. */
  readonly owners: readonly number[];
}

export interface OpenJournalOptions extends JournalTrust {
  /** `[daemon] keep_tickets` */
  readonly keepTickets: 'never' | 'restart';
  readonly runDir: string;
}

const nothing: Replayed = { tickets: [] };

export const TICKET_JOURNAL = Symbol('TICKET_JOURNAL');

/**
 * Gives the store the tickets that the process before has left, and keeps them from now on.
 * @returns undefined when tickets are not kept
 * @throws Error when the boot of the host is not known
 */
export async function openJournal(
  store: MemoryTicketStore,
  { keepTickets, runDir, bootId, owners }: OpenJournalOptions,
  logger: Logger,
): Promise<TicketJournal | undefined> {
  if (keepTickets === 'never') return undefined;
  const path = journalPath(runDir);
  if (bootId === undefined) {
    throw new Error(
      'Cannot keep tickets, [daemon] keep_tickets: the id of this boot is neither in IMAGEIO_BOOT_ID nor ' +
        'in /proc/sys/kernel/random/boot_id',
    );
  }
  const read = await readJournalFile(path, owners);
  const isThere = read.text !== '' || read.problem !== undefined;
  const { tickets, problem = read.problem } = read.text === '' ? nothing : replayJournal(read.text, bootId);
  for (const ticket of tickets) store.restore(ticket);
  const count = `${tickets.length} tickets restored`;
  if (problem !== undefined) {
    logger.warn({ tickets: tickets.length }, `${count}. The journal ${path} is not whole: ${problem}`);
  } else if (isThere) logger.info({ tickets: tickets.length }, count);
  return new TicketJournal({ path, bootId }, store, tickets.length, logger);
}

/**
 * Removes what a process that kept tickets has left, for one that does not: those that are removed from
 * now on must not come back. @throws Error of the system
 */
export async function removeJournal(runDir: string): Promise<void> {
  await rm(journalPath(runDir), { force: true });
}

function journalPath(runDir: string): string {
  return join(runDir, 'tickets.journal');
}
