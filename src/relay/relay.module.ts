import { Module, type DynamicModule } from '@nestjs/common';
import { RelayController } from './relay.controller.js';
import { RelayedImages } from './relayed-images.js';

/** The images API of the proxy. What relays is made, and its connections closed, by the composition root. */
@Module({})
export class RelayModule {
  static register(images: RelayedImages): DynamicModule {
    return {
      module: RelayModule,
      controllers: [RelayController],
      providers: [{ provide: RelayedImages, useValue: images }],
    };
  }
}
