import { readFile } from 'node:fs/promises';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { parseJsonObject } from '../../wire/json-body.js';
import { toDto } from '../../framework/validation.js';
import { LOGGER, type Logger } from '../../log/logger.js';
import { TICKET_DEFAULTS, TicketDto, ticketDefinition, type TicketDefaults } from './ticket.dto.js';
import { ticketLogFields } from '../ticket-log.js';
import { TICKET_STORE, type TicketStore } from '../ticket.store.js';

/** Paths of the files of `--ticket`. */
export const TICKET_FILES = Symbol('TICKET_FILES');

/** Adds the tickets of `--ticket` before the service is ready. */
@Injectable()
export class TicketFiles implements OnModuleInit {
  constructor(
    @Inject(TICKET_FILES) private readonly paths: readonly string[],
    @Inject(TICKET_STORE) private readonly tickets: TicketStore,
    @Inject(TICKET_DEFAULTS) private readonly defaults: TicketDefaults,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * A file has the same JSON as `PUT /tickets/{id}` takes, and the same checks.
   * @throws Error naming the file when it cannot be read, InvalidRequestError naming the key
   */
  async onModuleInit(): Promise<void> {
    for (const path of this.paths) {
      const object = parseJsonObject(await readFile(path), 'ticket');
      const definition = ticketDefinition(toDto(TicketDto, object, 'ticket'), this.defaults);
      await this.tickets.add(definition);
      this.logger.info(ticketLogFields(definition), 'Ticket added from a file');
    }
  }
}
