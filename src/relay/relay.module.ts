import { Module, type DynamicModule } from '@nestjs/common';
import type { Recipe } from '../framework/recipe.js';
import { CONFIG, section } from '../framework/settings.module.js';
import type { Config } from '../config/config.js';
import type { LimitsConfig } from '../config/sections/limits.js';
import type { ProxyConfig } from '../config/sections/proxy.js';
import { EventStreams } from '../wire/event-stream.js';
import type { Audience } from '../wire/audience.js';
import { TICKET_STORE, type TicketStore } from '../tickets/ticket.store.js';
import { DaemonAgents } from '../daemons/daemon-agents.js';
import { daemonTimeouts } from '../daemons/daemon-timeouts.js';
import { DaemonsModule } from '../daemons/daemons.module.js';
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

/** The images of other hosts, by their API. */
@Module({})
export class RelayModule {
  static register({ audience, imports, credentials }: RelayModuleOptions): DynamicModule {
    return {
      module: RelayModule,
      imports: [...imports, DaemonsModule],
      controllers: [relayController(audience)],
      providers: [
        { ...credentials, provide: SESSION_CREDENTIALS },
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
          ) => new RelayProxy(agents, buffers, daemonTimeouts(proxy), eventStreams),
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
      exports: [DaemonsModule, RelayBufferPool],
    };
  }
}
