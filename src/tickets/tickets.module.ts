import { Module, type DynamicModule } from '@nestjs/common';
import { CLOCK, type Clock } from '../base/clock.js';
import type { ControlConfig } from '../config/sections/control.js';
import type { DaemonConfig } from '../config/sections/daemon.js';
import type { LimitsConfig } from '../config/sections/limits.js';
import type { Recipe } from '../framework/recipe.js';
import { section } from '../framework/settings.module.js';
import { EventStreams } from '../wire/event-stream.js';
import { LOGGER, type Logger } from '../log/logger.js';
import { openJournal, TICKET_JOURNAL, type JournalTrust } from './journal/open-journal.js';
import { MemoryTicketStore } from './memory-ticket.store.js';
import { OperationRunner } from './operation-runner.js';
import { TICKET_DEFAULTS, type TicketDefaults } from './api/ticket.dto.js';
import { TICKET_STORE } from './ticket.store.js';
import { TICKET_FILES, TicketFiles } from './api/ticket-files.js';
import { TRANSFER_OBSERVER, type TransferObserver } from './transfer-observer.js';
import { TicketsController } from './api/tickets.controller.js';

/** Schemes that the url of a ticket may have. */
const TICKET_SCHEMES = Symbol('TICKET_SCHEMES');

export interface TicketsOptions {
  /** The schemes that the url of a ticket may have; it depends on what the role opens. */
  readonly schemes: Recipe<readonly string[]>;
  /** What the schemes are found out by. */
  readonly imports?: NonNullable<DynamicModule['imports']>;
  /** JSON files of tickets that are there from the start. */
  readonly ticketFiles: readonly string[];
  /** Which tickets of the process before are believed; none by default. */
  readonly trust?: JournalTrust | undefined;
}

const nobody: JournalTrust = { bootId: undefined, owners: [] };

/** The tickets of a role, and the tickets API for those who manage them. */
@Module({})
export class TicketsModule {
  static register({ schemes, imports = [], ticketFiles, trust }: TicketsOptions): DynamicModule {
    return {
      module: TicketsModule,
      imports,
      controllers: [TicketsController],
      providers: [
        {
          provide: TICKET_STORE,
          inject: [section('limits'), section('control'), CLOCK],
          useFactory: (
            { ticketsMax, rangesMax }: LimitsConfig,
            { removeTimeoutSeconds }: ControlConfig,
            clock: Clock,
          ): MemoryTicketStore =>
            new MemoryTicketStore({ removeTimeoutSeconds, ticketsMax, rangesMax }, clock),
        },
        {
          provide: TICKET_JOURNAL,
          inject: [TICKET_STORE, section('daemon'), LOGGER],
          useFactory: (store: MemoryTicketStore, { keepTickets, runDir }: DaemonConfig, logger: Logger) =>
            openJournal(store, { keepTickets, runDir, ...(trust ?? nobody) }, logger),
        },
        { ...schemes, provide: TICKET_SCHEMES },
        {
          provide: TICKET_DEFAULTS,
          inject: [section('daemon'), TICKET_SCHEMES],
          useFactory: (
            { inactivityTimeoutSeconds }: DaemonConfig,
            known: readonly string[],
          ): TicketDefaults => ({ inactivityTimeoutSeconds, schemes: known }),
        },
        {
          provide: OperationRunner,
          inject: [TRANSFER_OBSERVER],
          useFactory: (observer?: TransferObserver) => new OperationRunner(observer),
        },
        {
          provide: EventStreams,
          inject: [section('limits')],
          useFactory: ({ eventStreamsMax }: LimitsConfig) =>
            new EventStreams({ streamsMax: eventStreamsMax }),
        },
        { provide: TICKET_FILES, useValue: ticketFiles },
        TicketFiles,
      ],
      exports: [TICKET_STORE, TICKET_JOURNAL, OperationRunner, EventStreams],
    };
  }
}
