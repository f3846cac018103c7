import type { Config } from '../config/config.js';
import { listOfRoots } from '../config/sections/backend-file.js';
import { systemClock } from '../clock.js';
import { createControlApplication } from '../control/control-application.js';
import { showTickets } from '../control/ticket-metrics.js';
import { HttpApplication } from '../http/http-application.js';
import { imageSubResources, ticketIdOfControl } from '../http/ticket-path.js';
import { mountSwaggerUi } from '../http/swagger-ui.js';
import { BufferPool } from '../images/backends/buffer-pool.js';
import type { ImageSource } from '../images/backends/backend.js';
import { FileSource } from '../images/backends/file/file-source.js';
import { NbdSource } from '../images/backends/nbd/nbd-source.js';
import { HashWorkers } from '../images/checksum/hash-workers.js';
import { ImagesModule } from '../images/images.module.js';
import { certificateReload } from '../listeners/certificate-reload.js';
import type { HttpListener } from '../listeners/http-listener.js';
import { ImageDispatcher } from './image-dispatcher.js';
import { daemonFailureKinds } from '../relay/daemon-failure.js';
import { authoritiesReload } from '../relay/daemon-agents.js';
import { createDaemonAgents, createRelayApplication } from './relay-application.js';
import { ListenerFactory } from '../listeners/listener-factory.js';
import { createMonitoring } from '../listeners/monitoring.js';
import { Service } from '../listeners/service.js';
import type { Logger } from '../logger.js';
import { Metrics } from '../observability/metrics.js';
import { MemoryTicketStore } from '../tickets/memory-ticket.store.js';
import { readTicketFile } from '../tickets/ticket-file.js';
import { ticketLogFields } from '../tickets/ticket-log.js';
import { TransferNaming } from '../tickets/transfer-naming.js';
import type { TransferObserver } from '../tickets/transfer-observer.js';
import { version } from '../version.js';
import { showBuffers } from './buffer-monitoring.js';

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
  const { limits, control, tls } = config;
  const tickets = new MemoryTicketStore(
    { removeTimeoutSeconds: control.removeTimeoutSeconds, ticketsMax: limits.ticketsMax },
    systemClock,
  );
  const sources = imageSources(config, logger);
  const relaySchemes = tls.enable ? ['https'] : ['https', 'http'];
  const schemes = [...sources.flatMap((source) => source.schemes), ...relaySchemes];
  for (const file of ticketFiles) {
    const { inactivityTimeoutSeconds } = config.daemon;
    const definition = await readTicketFile(file, { inactivityTimeoutSeconds, schemes });
    await tickets.add(definition);
    logger.info(ticketLogFields(definition), 'Ticket added from a file');
  }
  const metrics = config.metrics.enable
    ? new Metrics({ role: 'daemon', version, daemonFailureKinds })
    : undefined;
  const pool = createBufferPool(config);
  let local: HttpListener | undefined;
  const hashWorkers = new HashWorkers();
  const data = await createDataApplication(config, {
    hashWorkers,
    pool,
    tickets,
    sources,
    observer: metrics?.transfers,
    unixSocket: () => local?.unixAddress?.address,
    logger,
  });
  const controlApplication = await createControlApplication(config, tickets, schemes, logger);
  if (config.docs.enable) mountSwaggerUi(data, config.docs.path, 'daemon');
  const agents = createDaemonAgents(config);
  const relay = await createRelayApplication(config, { tickets, agents, logger, metrics });
  await Promise.all([data.init(), relay.init(), controlApplication.init()]);
  const images = new ImageDispatcher(tickets, relaySchemes, { images: data, relay });

  const factory = new ListenerFactory(config, logger, metrics?.listeners);
  if (config.local.enable) local = factory.local(images);
  const remote = factory.remote(images);
  const listeners = [
    remote,
    ...(local === undefined ? [] : [local]),
    ...(control.enable
      ? [factory.control(new TransferNaming(tickets, ticketIdOfControl, controlApplication))]
      : []),
  ];
  let monitoring: HttpListener | undefined;
  if (metrics !== undefined) {
    showTickets(metrics, tickets);
    showBuffers(metrics, pool);
    monitoring = createMonitoring(factory, { metrics, listeners, checks: [] });
  }
  return new Service(
    {
      applications: [data, relay, controlApplication],
      listeners,
      monitoring,
      reloadables: config.tls.enable ? [certificateReload(remote, logger), authoritiesReload(agents)] : [],
      resources: [hashWorkers, agents],
      graceSeconds: limits.graceSeconds,
    },
    logger,
  );
}

// A server on this host answers in milliseconds; one that takes longer than this is not going to.
const nbdConnectTimeoutSeconds = 10;

export function imageSources({ limits, backendFile }: Config, logger: Logger): readonly ImageSource[] {
  const warn = (message: string): void => {
    logger.warn(message);
  };
  const files = new FileSource({
    warn,
    threadCount: limits.fileThreads,
    allowedRoots: listOfRoots(backendFile.allowedRoots),
  });
  return [files, new NbdSource({ connectTimeoutSeconds: nbdConnectTimeoutSeconds })];
}

export function createBufferPool({ limits }: Config): BufferPool {
  return new BufferPool({
    poolBytes: limits.bufferPoolBytes,
    bufferBytes: limits.bufferBytes,
    waitSeconds: limits.bufferWaitSeconds,
    stallSeconds: limits.bufferStallSeconds,
  });
}

interface DataApplicationParts {
  readonly pool: BufferPool;
  readonly tickets: MemoryTicketStore;
  readonly sources: readonly ImageSource[];
  readonly hashWorkers: HashWorkers;
  readonly unixSocket: () => string | undefined;
  readonly logger: Logger;
  readonly observer?: TransferObserver | undefined;
}

/** The images API of the remote and the local listener. */
export async function createDataApplication(
  { limits, daemon }: Config,
  { pool, tickets, sources, hashWorkers, unixSocket, logger, observer }: DataApplicationParts,
): Promise<HttpApplication> {
  return HttpApplication.create(
    {
      module: ImagesModule.register({
        tickets,
        sources,
        pool,
        hashWorkers,
        buffersPerTransfer: limits.buffersPerTransfer,
        checksumsMax: limits.checksumsMax,
        zeroStepBytes: limits.zeroStepBytes,
        capabilities: { unixSocket, connectionsMax: daemon.connectionsMax },
        logger,
        observer,
      }),
      bodyBytesMax: limits.jsonBodyBytesMax,
      requestHeadBytes: limits.requestHeadBytesMax,
      subResources: { images: imageSubResources },
      cors: { maxAgeSeconds: limits.corsMaxAgeSeconds },
    },
    logger,
  );
}
