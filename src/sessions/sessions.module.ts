import { type DynamicModule, Module } from '@nestjs/common';
import { Credentials } from './credentials.js';
import { FailedAuthentications } from './failed-authentications.js';
import { GrantsController } from './grants.controller.js';
import { GRANT_STORE, type GrantStore, SESSION_STORE, type SessionStore } from './session.store.js';
import { SessionsController } from './sessions.controller.js';
import { TICKET_VERIFIER, type TicketVerifier } from './ticket.verifier.js';

/** What the composition root has made, and closes again: the module only hands it around. */
export interface SessionsModuleOptions {
  readonly sessionStore: SessionStore;
  readonly grantStore: GrantStore;
  readonly ticketVerifier: TicketVerifier;
  readonly failedAuthentications: FailedAuthentications;
}

/**
 * Sessions and signed tickets of the proxy's public listener. Exports `Credentials` and the tokens of the stores.
 * The application must route `/sessions/` like `/sessions` (`ignoreTrailingSlash`) and hand on bodies as Buffers.
 */
@Module({})
export class SessionsModule {
  static register(options: SessionsModuleOptions): DynamicModule {
    const { sessionStore, grantStore, ticketVerifier, failedAuthentications } = options;
    return {
      module: SessionsModule,
      controllers: [SessionsController, GrantsController],
      providers: [
        Credentials,
        { provide: SESSION_STORE, useValue: sessionStore },
        { provide: GRANT_STORE, useValue: grantStore },
        { provide: TICKET_VERIFIER, useValue: ticketVerifier },
        { provide: FailedAuthentications, useValue: failedAuthentications },
      ],
      exports: [Credentials, SESSION_STORE, GRANT_STORE],
    };
  }
}
