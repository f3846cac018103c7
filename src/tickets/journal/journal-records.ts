import type { ReceivedSnapshot } from '../received-ranges.js';
import type { TicketState } from '../saved-ticket.js';
import type { TicketAccess, TicketDefinition } from '../ticket-definition.js';
import { journalLine, type JsonRecord } from './journal-line.js';

/**
 * What the lines of a journal say. Each is true by itself when it is written, and takes the place of what
 * earlier lines say of the same:
 * - `head`, the first: the format, and the boot of the host that all of it is of
 * - `ticket`: there is this ticket, of which nothing is durable yet
 * - `state`: what has become of a ticket
 * - `durable`: these bytes of it are durable, beside those of earlier lines unless it is `anew`
 * - `withdrawn`: those bytes are not any more
 * - `removed`: the ticket is gone
 */
export const formatVersion = 1;

type Durable = ReceivedSnapshot['durable'];

export function headLine(bootId: string): string {
  return journalLine({ kind: 'head', format: formatVersion, boot: bootId });
}

export function ticketLine(definition: TicketDefinition, state: TicketState): string {
  return journalLine({
    kind: 'ticket',
    // No JSON number holds all sizes that a ticket may have.
    ticket: { ...definition, size: String(definition.size) },
    state,
  });
}

export function stateLine(id: string, state: TicketState): string {
  return journalLine({ kind: 'state', id, state });
}

export function durableLine(id: string, anew: boolean, { generation, durable }: ReceivedSnapshot): string {
  return journalLine({ kind: 'durable', id, anew, generation, durable });
}

export function withdrawnLine(id: string, start: number, end: number): string {
  return journalLine({ kind: 'withdrawn', id, start, end });
}

export function removedLine(id: string): string {
  return journalLine({ kind: 'removed', id });
}

/** @returns undefined when it does not say what the head of a journal says */
export function readHead(record: JsonRecord | undefined): { format: number; boot: string } | undefined {
  const { kind, format, boot } = record ?? {};
  return kind === 'head' && typeof format === 'number' && typeof boot === 'string'
    ? { format, boot }
    : undefined;
}

/** @returns undefined unless each of its parts is what it should be */
export function readDefinition(value: unknown): TicketDefinition | undefined {
  if (!isRecord(value)) return undefined;
  const { id, size, ops, timeoutSeconds, inactivityTimeoutSeconds, url, transferId, filename } = value;
  const { sparse, dirty } = value;
  if (typeof id !== 'string' || typeof url !== 'string' || typeof transferId !== 'string') return undefined;
  if (typeof size !== 'string' || !/^\d{1,39}$/.test(size)) return undefined;
  if (!Array.isArray(ops) || !ops.every((op) => op === 'read' || op === 'write')) return undefined;
  if (!isNumber(timeoutSeconds) || !isNumber(inactivityTimeoutSeconds)) return undefined;
  if (typeof sparse !== 'boolean' || typeof dirty !== 'boolean') return undefined;
  if (filename !== undefined && typeof filename !== 'string') return undefined;
  return {
    ...{ id, url, transferId, size: BigInt(size), ops: ops as TicketAccess[] },
    ...{ timeoutSeconds, inactivityTimeoutSeconds, sparse, dirty },
    ...(filename === undefined ? {} : { filename }),
  };
}

/** @returns undefined unless each of its parts is what it should be */
export function readState(value: unknown): TicketState | undefined {
  if (!isRecord(value)) return undefined;
  const { expiresSeconds, activeAtSeconds, canceled, transferred } = value;
  if (!isNumber(expiresSeconds) || !isNumber(activeAtSeconds) || typeof canceled !== 'boolean') {
    return undefined;
  }
  if (!Array.isArray(transferred) || !transferred.every(isPairOfOffsets)) return undefined;
  return { expiresSeconds, activeAtSeconds, canceled, transferred };
}

/** @returns undefined unless each of its parts is what it should be */
export function readDurable(value: unknown): Durable | undefined {
  if (!Array.isArray(value)) return undefined;
  const isRange = (range: unknown): range is [number, number, boolean] =>
    Array.isArray(range) &&
    range.length === 3 &&
    range.slice(0, 2).every(isOffset) &&
    typeof range[2] === 'boolean';
  return value.every(isRange) ? value : undefined;
}

export function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPairOfOffsets(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every(isOffset);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
