import type { Config } from '../config/config.js';
import { systemClock } from '../clock.js';
import { createControlApplication } from '../control/control-application.js';
import { HttpApplication } from '../http/http-application.js';
import { mountSwaggerUi } from '../http/swagger-ui.js';
import { BufferPool } from '../images/backends/buffer-pool.js';
import type { ImageSource } from '../images/backends/backend.js';
import { FileSource } from '../images/backends/file/file-source.js';
import { NbdSource } from '../images/backends/nbd/nbd-source.js';
import { HashWorkers } from '../images/checksum/hash-workers.js';
import { ImagesModule } from '../images/images.module.js';
import type { HttpListener } from '../listeners/http-listener.js';
import { ListenerFactory } from '../listeners/listener-factory.js';
import { Service } from '../listeners/service.js';
import type { Logger } from '../logger.js';
import { MemoryTicketStore } from '../tickets/memory-ticket.store.js';
import { readTicketFile } from '../tickets/ticket-file.js';

/**
 * The daemon: exposes the images of this host. The data application (images) and the control application (tickets) share one
 * ticket store and nothing else; the local service is a second listener in front of the data application.
 * @param ticketFiles tickets to install before it is ready
 */
export async function createDaemon(
  config: Config,
  ticketFiles: readonly string[],
  logger: Logger,
): Promise<Service> {
  const { limits, control } = config;
  const tickets = new MemoryTicketStore(
    { removeTimeoutSeconds: control.removeTimeoutSeconds, ticketsMax: limits.ticketsMax },
    systemClock,
  );
  const sources = imageSources(logger);
  const schemes = sources.flatMap((source) => source.schemes);
  for (const file of ticketFiles) {
    const { inactivityTimeoutSeconds } = config.daemon;
    await tickets.add(await readTicketFile(file, { inactivityTimeoutSeconds, schemes }));
  }
  let local: HttpListener | undefined;
  const hashWorkers = new HashWorkers();
  const data = await createDataApplication(config, {
    hashWorkers,
    tickets,
    sources,
    unixSocket: () => local?.unixAddress?.address,
    logger,
  });
  const controlApplication = await createControlApplication(config, tickets, schemes, logger);
  if (config.docs.enable) mountSwaggerUi(data, config.docs.path, 'daemon');
  await Promise.all([data.init(), controlApplication.init()]);

  const factory = new ListenerFactory(config, logger);
  if (config.local.enable) local = factory.local(data);
  const listeners = [
    factory.remote(data),
    ...(local === undefined ? [] : [local]),
    ...(control.enable ? [factory.control(controlApplication)] : []),
  ];
  return new Service(
    {
      applications: [data, controlApplication],
      listeners,
      resources: [hashWorkers],
      graceSeconds: limits.graceSeconds,
    },
    logger,
  );
}

// A server on this host answers in milliseconds; one that takes longer than this is not going to.
const nbdConnectTimeoutSeconds = 10;

export function imageSources(logger: Logger): readonly ImageSource[] {
  const warn = (message: string): void => {
    logger.warn(message);
  };
  return [new FileSource(warn), new NbdSource({ connectTimeoutSeconds: nbdConnectTimeoutSeconds })];
}

interface DataApplicationParts {
  readonly tickets: MemoryTicketStore;
  readonly sources: readonly ImageSource[];
  readonly hashWorkers: HashWorkers;
  readonly unixSocket: () => string | undefined;
  readonly logger: Logger;
}

/** The images API of the remote and the local listener. */
export async function createDataApplication(
  { limits, daemon }: Config,
  { tickets, sources, hashWorkers, unixSocket, logger }: DataApplicationParts,
): Promise<HttpApplication> {
  const pool = new BufferPool({ poolBytes: limits.bufferPoolBytes, bufferBytes: limits.bufferBytes });
  return HttpApplication.create(
    {
      module: ImagesModule.register({
        tickets,
        sources,
        pool,
        hashWorkers,
        buffersPerTransfer: limits.buffersPerTransfer,
        zeroStepBytes: limits.zeroStepBytes,
        capabilities: { unixSocket, connectionsMax: daemon.connectionsMax },
        logger,
      }),
      bodyBytesMax: limits.jsonBodyBytesMax,
      requestHeadBytes: limits.requestHeadBytesMax,
      subResources: { images: ['/checksum/algorithms', '/checksum', '/extents'] },
      cors: { maxAgeSeconds: limits.corsMaxAgeSeconds },
    },
    logger,
  );
}
