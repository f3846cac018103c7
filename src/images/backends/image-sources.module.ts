import { Module } from '@nestjs/common';
import { listOfRoots, type BackendFileConfig } from '../../config/sections/backend-file.js';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { section } from '../../framework/settings.module.js';
import { LOGGER, type Logger } from '../../log/logger.js';
import { IMAGE_SOURCES, type ImageSource } from './backend.js';
import { FileSource } from './file/file-source.js';
import { NbdSource } from './nbd/nbd-source.js';

// A server on this host answers in milliseconds; one that takes longer than this is not going to.
const nbdConnectTimeoutSeconds = 10;

/** Where images of this host can be. A new kind of storage is a folder here, and an entry in this list. */
@Module({
  providers: [
    {
      provide: IMAGE_SOURCES,
      inject: [section('limits'), section('backendFile'), LOGGER],
      useFactory: (
        { fileThreads }: LimitsConfig,
        { allowedRoots }: BackendFileConfig,
        logger: Logger,
      ): readonly ImageSource[] => [
        new FileSource({
          warn: (message) => {
            logger.warn(message);
          },
          threadCount: fileThreads,
          allowedRoots: listOfRoots(allowedRoots),
        }),
        new NbdSource({ connectTimeoutSeconds: nbdConnectTimeoutSeconds }),
      ],
    },
  ],
  exports: [IMAGE_SOURCES],
})
export class ImageSourcesModule {}
