import { Module, type DynamicModule } from '@nestjs/common';
import { InfoController } from '../http/info.controller.js';
import { LOGGER, type Logger } from '../logger.js';
import type { TicketStore } from '../tickets/ticket.store.js';
import { OperationRunner } from '../tickets/operation-runner.js';
import type { TransferObserver } from '../tickets/transfer-observer.js';
import type { ImageSource } from './backends/backend.js';
import type { BufferPool } from './backends/buffer-pool.js';
import { ChecksumHandler } from './checksum.handler.js';
import type { HashWorkers } from './checksum/hash-workers.js';
import { ExtentsHandler } from './extents.handler.js';
import { FairShares } from './fair-shares.js';
import { FlushHandler } from './flush.handler.js';
import { ImageOperations } from './image-operations.js';
import { ImagesController } from './images.controller.js';
import { OpenImages } from './open-images.js';
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
    const operations = new ImageOperations(
      options.tickets,
      new OpenImages(options.sources),
      new OperationRunner(options.observer),
    );
    const zero = new ZeroHandler(operations, options.zeroStepBytes);
    const turns = new FairShares(options.checksumsMax);
    const checksums = new ChecksumHandler(operations, pool, options.hashWorkers, turns);
    return {
      module: ImagesModule,
      controllers: [ImagesController, InfoController],
      providers: [
        { provide: LOGGER, useValue: options.logger },
        { provide: ReadHandler, useValue: new ReadHandler(operations, pool, buffersPerTransfer) },
        { provide: WriteHandler, useValue: new WriteHandler(operations, pool, buffersPerTransfer) },
        { provide: PatchHandler, useValue: new PatchHandler(operations, zero, new FlushHandler(operations)) },
        { provide: ExtentsHandler, useValue: new ExtentsHandler(operations) },
        { provide: ChecksumHandler, useValue: checksums },
        { provide: OptionsHandler, useValue: new OptionsHandler(operations, options.capabilities) },
      ],
    };
  }
}
