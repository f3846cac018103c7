import { Inject, Module, type DynamicModule, type OnModuleDestroy } from '@nestjs/common';
import { CLOCK, type Clock } from '../base/clock.js';
import type { Config } from '../config/config.js';
import type { LimitsConfig } from '../config/sections/limits.js';
import type { Recipe } from '../framework/recipe.js';
import { CONFIG, section } from '../framework/settings.module.js';
import { LOGGER, type Logger } from '../log/logger.js';
import { Credentials } from './credentials.js';
import { FailedAuthentications } from './failed-authentications.js';
import { GrantsController } from './api/grants.controller.js';
import { openProxyStores } from './stores/open-proxy-stores.js';
import { SESSION_STORE } from './stores/session.store.js';
import { GRANT_STORE, type GrantStore } from './stores/grant.store.js';
import { PROXY_STORES, type ProxyStores } from './stores/proxy-stores.js';
import { SessionsController } from './api/sessions.controller.js';
import { loadTicketVerifier } from './signed-tickets/ticket-verifier.factory.js';
import { TICKET_VERIFIER, type TicketVerifier } from './signed-tickets/ticket.verifier.js';

export interface SessionsModuleOptions {
  readonly imports?: NonNullable<DynamicModule['imports']>;
  /** Stored grants as the role sees them; `PROXY_STORES` has the plain ones. */
  readonly grantStore?: Recipe<GrantStore>;
}

const plainGrantStore: Recipe<GrantStore> = {
  inject: [PROXY_STORES],
  useFactory: ({ grantStore }: ProxyStores) => grantStore,
};

/** Sessions and signed tickets: what 1.x clients and engines show, and where it is kept. */
@Module({})
export class SessionsModule implements OnModuleDestroy {
  constructor(@Inject(PROXY_STORES) private readonly stores: ProxyStores) {}

  static register({ imports = [], grantStore = plainGrantStore }: SessionsModuleOptions): DynamicModule {
    return {
      module: SessionsModule,
      imports,
      controllers: [SessionsController, GrantsController],
      providers: [
        {
          provide: PROXY_STORES,
          inject: [CONFIG, CLOCK, LOGGER],
          useFactory: openProxyStores,
        },
        {
          provide: SESSION_STORE,
          inject: [PROXY_STORES],
          useFactory: ({ sessionStore }: ProxyStores) => sessionStore,
        },
        { ...grantStore, provide: GRANT_STORE },
        {
          provide: TICKET_VERIFIER,
          inject: [CONFIG, CLOCK, LOGGER],
          useFactory: ticketVerifier,
        },
        {
          provide: FailedAuthentications,
          inject: [section('limits'), CLOCK, LOGGER],
          useFactory: failedAuthentications,
        },
        Credentials,
      ],
      exports: [Credentials, PROXY_STORES],
    };
  }

  async onModuleDestroy(): Promise<void> {
    for (const resource of this.stores.resources) await resource.close();
  }
}

async function ticketVerifier(
  { limits, proxy, tls }: Config,
  clock: Clock,
  logger: Logger,
): Promise<TicketVerifier> {
  const verifier = await loadTicketVerifier(
    {
      engineCertFile: proxy.engineCertFile,
      engineCaCertFile: proxy.engineCaCertFile,
      verifyCertificate: proxy.verifyCertificate,
      signedProxyTicket: proxy.signedProxyTicket,
      allowSha1: proxy.allowSha1,
      allowedSkewSeconds: proxy.allowedSkewSeconds,
      allowHttp: !tls.enable,
      signedTicketBytesMax: limits.signedTicketBytesMax,
    },
    clock,
  );
  for (const warning of verifier.warnings) logger.warn(warning);
  return verifier;
}

function failedAuthentications(limits: LimitsConfig, clock: Clock, logger: Logger): FailedAuthentications {
  return new FailedAuthentications(
    {
      failuresMax: limits.failedAuthenticationsMax,
      failuresPerSecond: limits.failedAuthenticationsPerSecond,
      addressesMax: limits.failedAuthenticationAddressesMax,
    },
    clock,
    (address) => {
      logger.warn({ address }, 'Too many failed authentications from one address');
    },
  );
}
