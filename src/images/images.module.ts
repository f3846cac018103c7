import { Inject, Module, type DynamicModule, type OnModuleDestroy } from '@nestjs/common';
import type { LimitsConfig } from '../config/sections/limits.js';
import { section } from '../framework/settings.module.js';
import { BufferPool } from './buffers/buffer-pool.js';
import { ImageSourcesModule } from './backends/image-sources.module.js';
import { CHECKSUM_TURNS, ChecksumHandler } from './operations/checksum.handler.js';
import { HashWorkers } from './checksum/hash-workers.js';
import { ExtentsHandler } from './operations/extents.handler.js';
import { FairShares } from './buffers/fair-shares.js';
import { FlushHandler } from './operations/flush.handler.js';
import { ImageOperations } from './transfer/image-operations.js';
import { ImagesController } from './api/images.controller.js';
import { OpenImages } from './transfer/open-images.js';
import { OptionsHandler } from './operations/options.handler.js';
import { PatchHandler } from './operations/patch.handler.js';
import { ReadHandler } from './operations/read.handler.js';
import { WriteHandler } from './operations/write.handler.js';
import { ZeroHandler } from './operations/zero.handler.js';

/** The images of this host, and the API to read and write them. */
@Module({})
export class ImagesModule implements OnModuleDestroy {
  constructor(@Inject(HashWorkers) private readonly hashWorkers: HashWorkers) {}

  /** @param tickets the module of the tickets that say who may */
  static register(tickets: DynamicModule): DynamicModule {
    return {
      module: ImagesModule,
      imports: [tickets, ImageSourcesModule],
      controllers: [ImagesController],
      providers: [
        OpenImages,
        ImageOperations,
        HashWorkers,
        ReadHandler,
        WriteHandler,
        ZeroHandler,
        FlushHandler,
        PatchHandler,
        ExtentsHandler,
        ChecksumHandler,
        OptionsHandler,
        {
          provide: BufferPool,
          inject: [section('limits')],
          useFactory: (limits: LimitsConfig) =>
            new BufferPool({
              poolBytes: limits.bufferPoolBytes,
              bufferBytes: limits.bufferBytes,
              waitSeconds: limits.bufferWaitSeconds,
              stallSeconds: limits.bufferStallSeconds,
            }),
        },
        {
          provide: CHECKSUM_TURNS,
          inject: [section('limits')],
          useFactory: ({ checksumsMax }: LimitsConfig) => new FairShares(checksumsMax),
        },
      ],
      exports: [BufferPool],
    };
  }

  async onModuleDestroy(): Promise<void> {
    await this.hashWorkers.close();
  }
}
