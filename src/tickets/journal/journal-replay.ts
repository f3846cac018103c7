import { RangeMap } from '../range-map.js';
import type { SavedTicket, TicketState } from '../saved-ticket.js';
import type { TicketDefinition } from '../ticket-definition.js';
import { readJournalLine, type JsonRecord } from './journal-line.js';
import {
  formatVersion,
  isOffset,
  readDefinition,
  readDurable,
  readHead,
  readState,
} from './journal-records.js';

export interface Replayed {
  readonly tickets: readonly SavedTicket[];
  /** Why there may be fewer than there were, in words for the log. */
  readonly problem?: string;
}

interface ReplayedTicket {
  readonly definition: TicketDefinition;
  state: TicketState;
  generation: number;
  readonly durable: RangeMap;
}

// What the map says of a durable byte.
const written = 1;
const zeroed = 2;

/**
 * The tickets that a journal leaves. A line that was cut, the last one, was acknowledged to nobody and is
 * left out. After any other line that is damaged nothing that was said before is believed, because the line
 * may have taken it back.
 * @param text all of the journal
 * @param bootId of the host as it runs now; clocks and storage caches of another boot are gone
 */
export function replayJournal(text: string, bootId: string): Replayed {
  // What is behind the last end of a line was cut.
  const lines = text.split('\n').slice(0, -1);
  const head = readHead(readJournalLine(lines[0] ?? ''));
  if (head === undefined) return { tickets: [], problem: 'its first line is damaged' };
  if (head.format !== formatVersion) return { tickets: [], problem: `its format is ${head.format}` };
  if (head.boot !== bootId) return { tickets: [], problem: 'the host was booted since' };
  const tickets = new Map<string, ReplayedTicket>();
  let damaged = 0;
  for (const line of lines.slice(1)) {
    const record = readJournalLine(line);
    if (record !== undefined && apply(tickets, record)) continue;
    damaged++;
    tickets.clear();
  }
  return {
    tickets: [...tickets.values()].map(saved),
    ...(damaged === 0 ? {} : { problem: `${damaged} of its lines are damaged` }),
  };
}

/** @returns whether the record says something that can be understood */
function apply(tickets: Map<string, ReplayedTicket>, record: JsonRecord): boolean {
  if (record['kind'] === 'ticket') return addTicket(tickets, record);
  const { id } = record;
  if (typeof id !== 'string') return false;
  if (record['kind'] === 'removed') {
    tickets.delete(id);
    return true;
  }
  const ticket = tickets.get(id);
  // Of a ticket that is gone, or that is not believed in any more, nothing is believed.
  if (ticket === undefined) return true;
  switch (record['kind']) {
    case 'state': {
      const state = readState(record['state']);
      if (state === undefined) return false;
      ticket.state = state;
      return true;
    }
    case 'durable':
      return addDurable(ticket, record);
    case 'withdrawn': {
      const { start, end } = record;
      if (!isOffset(start) || !isOffset(end)) return false;
      ticket.durable.set(start, end, 0);
      return true;
    }
    default:
      return false;
  }
}

function addTicket(tickets: Map<string, ReplayedTicket>, record: JsonRecord): boolean {
  const definition = readDefinition(record['ticket']);
  const state = readState(record['state']);
  if (definition === undefined || state === undefined) return false;
  tickets.set(definition.id, { definition, state, generation: 1, durable: new RangeMap() });
  return true;
}

function addDurable(ticket: ReplayedTicket, record: JsonRecord): boolean {
  const durable = readDurable(record['durable']);
  const { anew, generation } = record;
  if (durable === undefined || typeof anew !== 'boolean' || !isOffset(generation)) return false;
  if (anew) ticket.durable.set(0, Infinity, 0);
  for (const [start, length, zero] of durable)
    ticket.durable.set(start, start + length, zero ? zeroed : written);
  ticket.generation = generation;
  return true;
}

function saved({ definition, state, generation, durable }: ReplayedTicket): SavedTicket {
  const ranges = [...durable.from(0)].map(
    ({ start, end, value }) => [start, end - start, value === zeroed] as const,
  );
  return { definition, state, received: { generation, durable: ranges } };
}
