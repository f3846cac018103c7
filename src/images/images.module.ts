import {
  Inject,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnModuleDestroy,
  type Provider,
  type Type,
} from '@nestjs/common';
import type { LimitsConfig } from '../config/sections/limits.js';
import { imageRoutes, type ImageRouteName } from '../contract/image-routes.js';
import type { Config } from '../config/config.js';
import { tlsThreadCount } from '../wire/tls-thread-count.js';
import { CONFIG, section } from '../framework/settings.module.js';
import { BufferPool } from './buffers/buffer-pool.js';
import { poolParts } from './buffers/pool-parts.js';
import { DIGESTED_RANGES } from './buffers/digested-ranges.js';
import { ImageSourcesModule } from './backends/image-sources.module.js';
import { ChecksumHandler } from './operations/checksum.handler.js';
import { CHECKSUM_TURNS, ImageChecksums } from './operations/image-checksums.js';
import { DigestsHandler } from './operations/digests.handler.js';
import { KeptDigests } from './checksum/kept-digests.js';
import { TICKET_STORE, type TicketStore } from '../tickets/ticket.store.js';
import { HashWorkers } from './checksum/hash-workers.js';
import { EventsHandler } from './operations/events.handler.js';
import { ExtentsHandler } from './operations/extents.handler.js';
import { FairShares } from './buffers/fair-shares.js';
import { FlushHandler } from './operations/flush.handler.js';
import { ImageOperations } from './transfer/image-operations.js';
import { AlgorithmsHandler } from './operations/algorithms.handler.js';
import { imageHandler, ImageHandlers, type ImageHandler } from './operations/image-handler.js';
import { imagesController } from './api/images.controller.js';
import { ImageJobs } from './jobs/image-jobs.js';
import { JobDigests } from './jobs/job-digests.js';
import { RunningJobs } from './jobs/running-jobs.js';
import {
  CancelJobHandler,
  JobDigestsHandler,
  JobEventsHandler,
  JobHandler,
  ListJobsHandler,
} from './operations/jobs.handlers.js';
import { LentImages } from './transfer/lent-images.js';
import { OpenImages } from './transfer/open-images.js';
import { OptionsHandler } from './operations/options.handler.js';
import { PatchHandler } from './operations/patch.handler.js';
import { ImageInspection } from './preflight/image-inspection.js';
import { TrialImages } from './preflight/trial-images.js';
import { PreflightHandler } from './operations/preflight.handler.js';
import { RangesHandler } from './operations/ranges.handler.js';
import { ReceiptHandler } from './operations/receipt.handler.js';
import { ReceiptSigner } from './receipt/receipt-signer.js';
import { ReadHandler } from './operations/read.handler.js';
import { WriteHandler } from './operations/write.handler.js';
import { ZeroHandler } from './operations/zero.handler.js';

/** What answers the routes of the images API. */
const handlers: Readonly<Record<ImageRouteName, Type<ImageHandler>>> = {
  getImageOptions: OptionsHandler,
  readImage: ReadHandler,
  headImage: ReadHandler,
  writeImage: WriteHandler,
  patchImage: PatchHandler,
  listImageExtents: ExtentsHandler,
  getImageChecksum: ChecksumHandler,
  listBlockDigests: DigestsHandler,
  listChecksumAlgorithms: AlgorithmsHandler,
  getReceipt: ReceiptHandler,
  listReceivedRanges: RangesHandler,
  preflightImage: PreflightHandler,
  listImageJobs: ListJobsHandler,
  getImageJob: JobHandler,
  cancelImageJob: CancelJobHandler,
  followImageJob: JobEventsHandler,
  listJobDigests: JobDigestsHandler,
  followTicket: EventsHandler,
};

const handlerProviders: readonly Provider[] = [
  ...Object.values(handlers),
  ...Object.entries(handlers).map(([name, handler]) => ({
    provide: imageHandler(name),
    useExisting: handler,
  })),
];

/** Asks for the handler of every route by its name, so that none can be missing once the service runs. */
const allHandlers: FactoryProvider<ImageHandlers> = {
  provide: ImageHandlers,
  inject: imageRoutes.map(({ name }) => imageHandler(name)),
  useFactory: (...found: ImageHandler[]) =>
    new ImageHandlers(new Map(found.map((handler, index) => [imageRoutes[index]?.name ?? '', handler]))),
};

/** The images of this host, and the API to read and write them. */
@Module({})
export class ImagesModule implements OnModuleDestroy {
  constructor(@Inject(HashWorkers) private readonly hashWorkers: HashWorkers) {}

  /** @param tickets the module of the tickets that say who may */
  static register(tickets: DynamicModule): DynamicModule {
    return {
      module: ImagesModule,
      imports: [tickets, ImageSourcesModule],
      controllers: [imagesController()],
      providers: [
        OpenImages,
        LentImages,
        ImageOperations,
        TrialImages,
        ImageInspection,
        RunningJobs,
        ImageJobs,
        JobDigests,
        ImageChecksums,
        ReceiptSigner,
        HashWorkers,
        {
          provide: KeptDigests,
          inject: [section('limits'), TICKET_STORE],
          useFactory: ({ keptDigestsMax }: LimitsConfig, tickets: TicketStore) => {
            const kept = new KeptDigests(keptDigestsMax);
            tickets.onRemoved((id) => {
              kept.forgetOwner(id);
            });
            return kept;
          },
        },
        // A PATCH is one of these two.
        ZeroHandler,
        FlushHandler,
        ...handlerProviders,
        allHandlers,
        {
          provide: BufferPool,
          inject: [section('limits'), CONFIG],
          useFactory: (limits: LimitsConfig, config: Config) =>
            bufferPool(limits, {
              poolBytes: poolParts(limits, tlsThreadCount(config, 'daemon')).mainBytes,
              bufferBytes: limits.bufferBytes,
            }),
        },
        {
          provide: DIGESTED_RANGES,
          inject: [section('limits'), BufferPool],
          useFactory: (limits: LimitsConfig, pool: BufferPool) =>
            limits.digestRangeBytes <= limits.bufferBytes
              ? pool
              : bufferPool(limits, {
                  poolBytes: limits.digestPoolBytes,
                  bufferBytes: limits.digestRangeBytes,
                }),
        },
        {
          provide: CHECKSUM_TURNS,
          inject: [section('limits')],
          useFactory: ({ checksumsMax }: LimitsConfig) => new FairShares(checksumsMax),
        },
      ],
      exports: [
        BufferPool,
        RunningJobs,
        JobDigests,
        DIGESTED_RANGES,
        ImageOperations,
        LentImages,
        HashWorkers,
        KeptDigests,
        CHECKSUM_TURNS,
      ],
    };
  }

  async onModuleDestroy(): Promise<void> {
    await this.hashWorkers.close();
  }
}

/** A pool whose users are as patient as those of every other. Its memory is taken only when it is used. */
function bufferPool(
  { bufferWaitSeconds: waitSeconds, bufferStallSeconds: stallSeconds }: LimitsConfig,
  sizes: { readonly poolBytes: number; readonly bufferBytes: number },
): BufferPool {
  return new BufferPool({ ...sizes, waitSeconds, stallSeconds });
}
