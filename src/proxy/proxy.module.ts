import { Module, type DynamicModule } from '@nestjs/common';
import { InfoController } from '../http/info.controller.js';
import { RelayModule } from '../relay/relay.module.js';
import type { RelayedImages } from '../relay/relayed-images.js';
import type { GrantStore, SessionStore } from '../sessions/session.store.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import type { TicketVerifier } from '../sessions/ticket.verifier.js';

export interface ProxyModuleOptions {
  readonly images: RelayedImages;
  readonly ticketVerifier: TicketVerifier;
  readonly sessionStore: SessionStore;
  readonly grantStore: GrantStore;
}

/** Everything that the proxy's public listener serves. */
@Module({})
export class ProxyModule {
  static register({ images, ...sessions }: ProxyModuleOptions): DynamicModule {
    return {
      module: ProxyModule,
      controllers: [InfoController],
      imports: [SessionsModule.register(sessions), RelayModule.register(images)],
    };
  }
}
