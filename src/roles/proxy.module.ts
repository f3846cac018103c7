import { Module, type DynamicModule } from '@nestjs/common';
import { section, SettingsModule } from '../framework/settings.module.js';
import { InfoModule } from '../framework/info.controller.js';
import { relayBufferGauges } from '../relay/buffers/relay-buffer-gauges.js';
import { RelayBufferPool } from '../relay/buffers/relay-buffer-pool.js';
import { RelayModule } from '../relay/relay.module.js';
import { Credentials } from '../sessions/credentials.js';
import { sessionGauge } from '../sessions/session-gauge.js';
import { PROXY_STORES, type ProxyStores } from '../sessions/stores/proxy-stores.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { eventStreamGauge } from '../tickets/event-stream-gauge.js';
import { TICKET_JOURNAL } from '../tickets/journal/open-journal.js';
import type { TicketJournal } from '../tickets/journal/ticket-journal.js';
import { restoredTicketsGauge, ticketGauge } from '../tickets/ticket-gauge.js';
import { TICKET_STORE, type TicketStore } from '../tickets/ticket.store.js';
import { TicketsModule } from '../tickets/tickets.module.js';
import { GrantsBehindTickets } from './grants-behind-tickets.js';
import { EventStreams } from '../wire/event-stream.js';
import { ListenersModule } from './listeners.module.js';
import { MetricsModule } from './metrics.module.js';
import type { RoleInputs } from './role-inputs.js';
import { daemonSchemes } from '../daemons/daemon-schemes.js';
import { BACKGROUND_WORK, GAUGES, HEALTH_CHECKS, serviceProviders } from './service.providers.js';

/**
 * The proxy: relays clients that cannot reach the hosts, for sessions that signed tickets open, and for the
 * tickets of 2.x engines, whose urls lead to daemons.
 */
@Module({})
export class ProxyModule {
  static of({ config, logger, ticketFiles, trust, inherited }: RoleInputs): DynamicModule {
    const tickets = TicketsModule.register({
      schemes: { inject: [section('tls')], useFactory: daemonSchemes },
      ticketFiles,
      trust,
    });
    const sessions = SessionsModule.register({
      imports: [tickets],
      grantStore: {
        inject: [PROXY_STORES, TICKET_STORE],
        useFactory: ({ grantStore }: ProxyStores, store: TicketStore) =>
          new GrantsBehindTickets(grantStore, store),
      },
    });
    const relay = RelayModule.register({
      audience: 'network',
      imports: [tickets, sessions],
      credentials: { useExisting: Credentials },
    });
    const listeners = ListenersModule.of(tickets, () => () => 'network', 'proxy', inherited);
    return {
      module: ProxyModule,
      imports: [
        SettingsModule.of(config, logger),
        MetricsModule.of('proxy'),
        listeners,
        InfoModule,
        tickets,
        sessions,
        relay,
      ],
      providers: [
        {
          provide: GAUGES,
          inject: [TICKET_STORE, TICKET_JOURNAL, PROXY_STORES, RelayBufferPool, EventStreams],
          useFactory: (
            store: TicketStore,
            journal: TicketJournal | undefined,
            { sessionStore }: ProxyStores,
            relayPool: RelayBufferPool,
            streams: EventStreams,
          ) => [
            ticketGauge(store),
            restoredTicketsGauge(journal?.restored ?? 0),
            eventStreamGauge(streams),
            sessionGauge(sessionStore),
            ...relayBufferGauges(relayPool),
          ],
        },
        {
          provide: HEALTH_CHECKS,
          inject: [PROXY_STORES],
          useFactory: ({ checks }: ProxyStores) => checks,
        },
        { provide: BACKGROUND_WORK, useValue: undefined },
        ...serviceProviders,
      ],
    };
  }
}
