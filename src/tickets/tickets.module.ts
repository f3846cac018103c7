import { Module, type DynamicModule } from '@nestjs/common';
import { LOGGER, type Logger } from '../logger.js';
import type { TicketDefaults } from './ticket.dto.js';
import { TICKET_STORE, type TicketStore } from './ticket.store.js';
import { TICKET_DEFAULTS, TicketsController } from './tickets.controller.js';

/** The tickets API over a store that the composition root made: the data application uses the same one. */
@Module({})
export class TicketsModule {
  static register(store: TicketStore, defaults: TicketDefaults, logger: Logger): DynamicModule {
    return {
      module: TicketsModule,
      controllers: [TicketsController],
      providers: [
        { provide: TICKET_STORE, useValue: store },
        { provide: TICKET_DEFAULTS, useValue: defaults },
        { provide: LOGGER, useValue: logger },
      ],
    };
  }
}
