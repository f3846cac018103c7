import { Module } from '@nestjs/common';
import { listOfRoots, type BackendFileConfig } from '../../config/sections/backend-file.js';
import type { LimitsConfig } from '../../config/sections/limits.js';
import type { ProxyConfig } from '../../config/sections/proxy.js';
import type { TlsConfig } from '../../config/sections/tls.js';
import { DaemonAgents } from '../../daemons/daemon-agents.js';
import { DAEMON_FAILURE_OBSERVER, type DaemonFailureObserver } from '../../daemons/daemon-failure.js';
import { daemonSchemes } from '../../daemons/daemon-schemes.js';
import { daemonTimeouts } from '../../daemons/daemon-timeouts.js';
import { DaemonsModule } from '../../daemons/daemons.module.js';
import { section } from '../../framework/settings.module.js';
import { LOGGER, type Logger } from '../../log/logger.js';
import { IMAGE_SOURCES, type ImageSource } from './backend.js';
import { HttpSource } from './http/http-source.js';
import { FileSource } from './file/file-source.js';
import { NbdSource } from './nbd/nbd-source.js';

// A server on this host answers in milliseconds; one that takes longer than this is not going to.
const nbdConnectTimeoutSeconds = 10;

const HTTP_SOURCE = Symbol('HTTP_SOURCE');

/** Where images can be. A new kind of storage is a folder here, and an entry in this list. */
@Module({
  imports: [DaemonsModule],
  providers: [
    {
      provide: HTTP_SOURCE,
      inject: [
        DaemonAgents,
        section('proxy'),
        section('tls'),
        { token: DAEMON_FAILURE_OBSERVER, optional: true },
      ],
      useFactory: (
        agents: DaemonAgents,
        proxy: ProxyConfig,
        tls: TlsConfig,
        failures?: DaemonFailureObserver,
      ) => new HttpSource({ agents, timeouts: daemonTimeouts(proxy), schemes: daemonSchemes(tls), failures }),
    },
    {
      provide: IMAGE_SOURCES,
      inject: [section('limits'), section('backendFile'), LOGGER, HTTP_SOURCE],
      useFactory: (
        { fileThreads }: LimitsConfig,
        { allowedRoots }: BackendFileConfig,
        logger: Logger,
        httpSource: HttpSource,
      ): readonly ImageSource[] => [
        new FileSource({
          warn: (message) => {
            logger.warn(message);
          },
          threadCount: fileThreads,
          allowedRoots: listOfRoots(allowedRoots),
        }),
        new NbdSource({ connectTimeoutSeconds: nbdConnectTimeoutSeconds }),
        httpSource,
      ],
    },
  ],
  exports: [IMAGE_SOURCES],
})
export class ImageSourcesModule {}
