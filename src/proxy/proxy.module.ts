import { Module, type DynamicModule } from '@nestjs/common';
import { InfoController } from '../http/info.controller.js';
import { RelayModule } from '../relay/relay.module.js';
import type { RelayedImages } from '../relay/relayed-images.js';
import { SessionsModule, type SessionsModuleOptions } from '../sessions/sessions.module.js';

export interface ProxyModuleOptions extends SessionsModuleOptions {
  readonly images: RelayedImages;
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
