import { readFile } from 'node:fs/promises';
import { parseJsonObject } from '../http/json-body.js';
import { toDto } from '../http/validation.js';
import { TicketDto, ticketDefinition, type TicketDefaults } from './ticket.dto.js';
import type { TicketDefinition } from './ticket-definition.js';

/**
 * Reads a ticket for `--ticket`: the same JSON as `PUT /tickets/{id}` takes, with the same checks.
 * @throws Error naming the file when it cannot be read, InvalidRequestError naming the key
 */
export async function readTicketFile(path: string, defaults: TicketDefaults): Promise<TicketDefinition> {
  const object = parseJsonObject(await readFile(path), 'ticket');
  return ticketDefinition(toDto(TicketDto, object, 'ticket'), defaults);
}
