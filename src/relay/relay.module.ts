import { Inject, Module, type DynamicModule, type OnModuleDestroy } from '@nestjs/common';
import type { Recipe } from '../framework/recipe.js';
import { CONFIG, section } from '../framework/settings.module.js';
import type { Config } from '../config/config.js';
import type { LimitsConfig } from '../config/sections/limits.js';
import type { ProxyConfig } from '../config/sections/proxy.js';
import { EventStreams } from '../wire/event-stream.js';
import type { Audience } from '../wire/audience.js';
import { TICKET_STORE, type TicketStore } from '../tickets/ticket.store.js';
import { DaemonAgents, daemonAuthorities } from './upstream/daemon-agents.js';
import { RelayBufferPool } from './buffers/relay-buffer-pool.js';
import { RelayAccess, SESSION_CREDENTIALS, type SessionCredentials } from './access/relay-access.js';
import { relayController } from './api/relay.controller.js';
import { RelayedImages } from './relayed-images.js';
import { RelayProxy } from './relay.proxy.js';

export interface RelayModuleOptions {
  /** Who is relayed. */
  readonly audience: Audience;
  /** The modules of the tickets, and of whatever else decides who may. */
  readonly imports: readonly DynamicModule[];
  /** What decides over sessions and signed tickets. */
  readonly credentials: Recipe<SessionCredentials>;
}

/** The images of other hosts: their API, and the connections to the daemons that have them. */
@Module({})
export class RelayModule implements OnModuleDestroy {
  constructor(@Inject(DaemonAgents) private readonly agents: DaemonAgents) {}

  static register({ audience, imports, credentials }: RelayModuleOptions): DynamicModule {
    return {
      module: RelayModule,
      imports: [...imports],
      controllers: [relayController(audience)],
      providers: [
        { ...credentials, provide: SESSION_CREDENTIALS },
        {
          provide: DaemonAgents,
          inject: [CONFIG],
          useFactory: (config: Config) => new DaemonAgents(daemonAuthorities(config)),
        },
        {
          provide: RelayBufferPool,
          inject: [section('limits')],
          useFactory: (limits: LimitsConfig) =>
            new RelayBufferPool({
              totalBytes: limits.relayBufferBytes,
              perTicketBytes: limits.relayBufferBytesPerTicket,
              waitSeconds: limits.bufferWaitSeconds,
              stallSeconds: limits.bufferStallSeconds,
            }),
        },
        {
          provide: RelayProxy,
          inject: [DaemonAgents, RelayBufferPool, section('proxy'), EventStreams],
          useFactory: (
            agents: DaemonAgents,
            buffers: RelayBufferPool,
            proxy: ProxyConfig,
            eventStreams: EventStreams,
          ) =>
            new RelayProxy(
              agents,
              buffers,
              {
                connectTimeoutSeconds: proxy.imagedConnectionTimeoutSeconds,
                readTimeoutSeconds: proxy.imagedReadTimeoutSeconds,
                operationTimeoutSeconds: proxy.imagedOperationTimeoutSeconds,
              },
              eventStreams,
            ),
        },
        {
          provide: RelayAccess,
          inject: [SESSION_CREDENTIALS, TICKET_STORE, CONFIG],
          useFactory: (sessions: SessionCredentials, tickets: TicketStore, { daemon, tls }: Config) =>
            new RelayAccess(sessions, tickets, {
              inactivityTimeoutSeconds: daemon.inactivityTimeoutSeconds,
              allowHttp: !tls.enable,
            }),
        },
        RelayedImages,
      ],
      exports: [DaemonAgents, RelayBufferPool],
    };
  }

  onModuleDestroy(): void {
    this.agents.close();
  }
}
