import { Module, type DynamicModule } from '@nestjs/common';
import { CopiesController } from './api/copies.controller.js';
import { Copies } from './copies/copies.js';

/** Copies between the images of this host, for those who manage its tickets. */
@Module({})
export class CopiesModule {
  /** @param tickets and images between which may be copied */
  static register(tickets: DynamicModule, images: DynamicModule): DynamicModule {
    return {
      module: CopiesModule,
      imports: [tickets, images],
      controllers: [CopiesController],
      providers: [Copies],
    };
  }
}
