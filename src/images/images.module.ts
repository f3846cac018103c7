import { Module, type DynamicModule } from '@nestjs/common';
import { InfoController } from '../http/info.controller.js';
import { LOGGER, type Logger } from '../logger.js';
import type { TicketStore } from '../tickets/ticket.store.js';
import type { TransferObserver } from '../tickets/transfer-observer.js';
import type { ImageSource } from './backends/backend.js';
import type { BufferPool } from './backends/buffer-pool.js';
import { ChecksumHandler } from './checksum.handler.js';
import type { HashWorkers } from './checksum/hash-workers.js';
import { ExtentsHandler } from './extents.handler.js';
import { FairShares } from './fair-shares.js';
import { FlushHandler } from './flush.handler.js';
import { ImagesController } from './images.controller.js';
import { OpenImages } from './open-images.js';
import { OperationRunner } from './operation-runner.js';
import { OptionsHandler, type ServiceCapabilities } from './options.handler.js';
import { PatchHandler } from './patch.handler.js';
import { ReadHandler } from './read.handler.js';
import { WriteHandler } from './write.handler.js';
import { ZeroHandler } from './zero.handler.js';

export interface ImagesOptions {
  readonly tickets: TicketStore;
  readonly sources: readonly ImageSource[];
  readonly pool: BufferPool;
  readonly hashWorkers: HashWorkers;
  readonly buffersPerTransfer: number;
  /** How many checksums are computed at once. */
  readonly checksumsMax: number;
  readonly zeroStepBytes: number;
  readonly capabilities: ServiceCapabilities;
  readonly logger: Logger;
  readonly observer?: TransferObserver | undefined;
}

/** The images API over the store and the sources that the composition root made. */
@Module({})
export class ImagesModule {
  static register(options: ImagesOptions): DynamicModule {
    const { pool, buffersPerTransfer } = options;
    const runner = new OperationRunner(options.tickets, new OpenImages(options.sources), options.observer);
    const zero = new ZeroHandler(runner, options.zeroStepBytes);
    const turns = new FairShares(options.checksumsMax);
    const checksums = new ChecksumHandler(runner, pool, options.hashWorkers, turns);
    return {
      module: ImagesModule,
      controllers: [ImagesController, InfoController],
      providers: [
        { provide: LOGGER, useValue: options.logger },
        { provide: ReadHandler, useValue: new ReadHandler(runner, pool, buffersPerTransfer) },
        { provide: WriteHandler, useValue: new WriteHandler(runner, pool, buffersPerTransfer) },
        { provide: PatchHandler, useValue: new PatchHandler(runner, zero, new FlushHandler(runner)) },
        { provide: ExtentsHandler, useValue: new ExtentsHandler(runner) },
        { provide: ChecksumHandler, useValue: checksums },
        { provide: OptionsHandler, useValue: new OptionsHandler(runner, options.capabilities) },
      ],
    };
  }
}
