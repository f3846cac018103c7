import { systemClock } from '../clock.js';
import type { Config } from '../config/config.js';
import { createControlApplication } from '../control/control-application.js';
import { showTickets } from '../control/ticket-metrics.js';
import { HttpApplication } from '../http/http-application.js';
import { imageSubResources, ticketIdOfControl, ticketIdOfImage } from '../http/ticket-path.js';
import { mountSwaggerUi } from '../http/swagger-ui.js';
import { certificateReload } from '../listeners/certificate-reload.js';
import type { HttpListener } from '../listeners/http-listener.js';
import { ListenerFactory } from '../listeners/listener-factory.js';
import { createMonitoring } from '../listeners/monitoring.js';
import { Service } from '../listeners/service.js';
import type { Logger } from '../logger.js';
import { Metrics } from '../observability/metrics.js';
import { DaemonAgents, authoritiesReload, daemonAuthorities } from '../relay/daemon-agents.js';
import { daemonFailureKinds } from '../relay/daemon-failure.js';
import { RelayAccess } from '../relay/relay-access.js';
import { RelayProxy } from '../relay/relay.proxy.js';
import { RelayedImages } from '../relay/relayed-images.js';
import { Credentials } from '../sessions/credentials.js';
import { FailedAuthentications } from '../sessions/failed-authentications.js';
import { loadTicketVerifier } from '../sessions/ticket-verifier.factory.js';
import type { TicketVerifier } from '../sessions/ticket.verifier.js';
import { MemoryTicketStore } from '../tickets/memory-ticket.store.js';
import { OperationRunner } from '../tickets/operation-runner.js';
import { readTicketFile } from '../tickets/ticket-file.js';
import { ticketLogFields } from '../tickets/ticket-log.js';
import { TransferNaming } from '../tickets/transfer-naming.js';
import { version } from '../version.js';
import { GrantsBehindTickets } from './grants-behind-tickets.js';
import { ProxyModule, type ProxyModuleOptions } from './proxy.module.js';
import { showSessions } from './session-metrics.js';
import { openSessionStores } from './open-session-stores.js';
import type { SessionStores } from './session-stores.js';

/**
 * The proxy: relays clients that cannot reach the hosts. Its data application serves sessions and relayed images, its control
 * application takes the tickets of 2.x engines, whose urls point to daemons.
 * @param ticketFiles tickets to install before it is ready
 */
export async function createProxy(
  config: Config,
  ticketFiles: readonly string[],
  logger: Logger,
): Promise<Service> {
  const { limits, control, daemon, tls } = config;
  const tickets = new MemoryTicketStore(
    { removeTimeoutSeconds: control.removeTimeoutSeconds, ticketsMax: limits.ticketsMax },
    systemClock,
  );
  const schemes = tls.enable ? ['https'] : ['https', 'http'];
  for (const file of ticketFiles) {
    const { inactivityTimeoutSeconds } = daemon;
    const definition = await readTicketFile(file, { inactivityTimeoutSeconds, schemes });
    await tickets.add(definition);
    logger.info(ticketLogFields(definition), 'Ticket added from a file');
  }
  const ticketVerifier = await loadTicketVerifier(
    {
      engineCertFile: config.proxy.engineCertFile,
      engineCaCertFile: config.proxy.engineCaCertFile,
      verifyCertificate: config.proxy.verifyCertificate,
      signedProxyTicket: config.proxy.signedProxyTicket,
      allowSha1: config.proxy.allowSha1,
      allowedSkewSeconds: config.proxy.allowedSkewSeconds,
      allowHttp: !tls.enable,
      signedTicketBytesMax: limits.signedTicketBytesMax,
    },
    systemClock,
  );
  for (const warning of ticketVerifier.warnings) logger.warn(warning);

  const agents = new DaemonAgents(daemonAuthorities(config));
  const stores = await openSessionStores(config, logger);
  const metrics = config.metrics.enable
    ? new Metrics({ role: 'proxy', version, daemonFailureKinds })
    : undefined;
  const parts = createProxyParts(config, { tickets, ticketVerifier, stores, agents, logger, metrics });
  const data = await createProxyDataApplication(config, parts, logger);
  if (config.docs.enable) mountSwaggerUi(data, config.docs.path, 'proxy');
  const controlApplication = await createControlApplication(config, tickets, schemes, logger);
  await Promise.all([data.init(), controlApplication.init()]);

  const factory = new ListenerFactory(config, logger, metrics?.listeners);
  const images = new TransferNaming(tickets, ticketIdOfImage, data);
  const remote = factory.remote(images);
  const listeners = [
    remote,
    ...(config.local.enable ? [factory.local(images)] : []),
    ...(control.enable
      ? [factory.control(new TransferNaming(tickets, ticketIdOfControl, controlApplication))]
      : []),
  ];
  let monitoring: HttpListener | undefined;
  if (metrics !== undefined) {
    showTickets(metrics, tickets);
    showSessions(metrics, parts.sessionStore);
    monitoring = createMonitoring(factory, { metrics, listeners, checks: stores.checks });
  }
  const resources = [...stores.resources, agents];
  return new Service(
    {
      applications: [data, controlApplication],
      listeners,
      monitoring,
      reloadables: tls.enable ? [certificateReload(remote, logger), authoritiesReload(agents)] : [],
      resources,
      graceSeconds: limits.graceSeconds,
    },
    logger,
  );
}

interface ProxyInputs {
  readonly tickets: MemoryTicketStore;
  readonly ticketVerifier: TicketVerifier;
  readonly stores: SessionStores;
  readonly agents: DaemonAgents;
  readonly logger: Logger;
  readonly metrics?: Metrics | undefined;
}

/** What the data application is made of. */
export function createProxyParts(config: Config, inputs: ProxyInputs): ProxyModuleOptions {
  const { tickets, ticketVerifier, stores, agents, logger, metrics } = inputs;
  const { limits, proxy, daemon, tls } = config;
  const failedAuthentications = new FailedAuthentications(
    {
      failuresMax: limits.failedAuthenticationsMax,
      failuresPerSecond: limits.failedAuthenticationsPerSecond,
      addressesMax: limits.failedAuthenticationAddressesMax,
    },
    systemClock,
    (address) => {
      logger.warn({ address }, 'Too many failed authentications from one address');
    },
  );
  const relay = new RelayProxy(agents, {
    connectTimeoutSeconds: proxy.imagedConnectionTimeoutSeconds,
    readTimeoutSeconds: proxy.imagedReadTimeoutSeconds,
    operationTimeoutSeconds: proxy.imagedOperationTimeoutSeconds,
  });
  const credentials = new Credentials(
    ticketVerifier,
    stores.sessionStore,
    new GrantsBehindTickets(stores.grantStore, tickets),
    failedAuthentications,
  );
  const access = new RelayAccess(credentials, tickets, {
    inactivityTimeoutSeconds: daemon.inactivityTimeoutSeconds,
    allowHttp: !tls.enable,
  });
  const { sessionStore, grantStore } = stores;
  const runner = new OperationRunner(metrics?.transfers);
  const images = new RelayedImages(access, relay, runner, logger, metrics);
  return { images, ticketVerifier, sessionStore, grantStore, failedAuthentications };
}

/** Sessions, stored tickets and relayed images. */
export async function createProxyDataApplication(
  { limits }: Config,
  parts: ProxyModuleOptions,
  logger: Logger,
): Promise<HttpApplication> {
  return HttpApplication.create(
    {
      module: ProxyModule.register(parts),
      bodyBytesMax: limits.jsonBodyBytesMax,
      requestHeadBytes: limits.requestHeadBytesMax,
      subResources: { images: imageSubResources, tickets: [], sessions: [] },
      cors: { maxAgeSeconds: limits.corsMaxAgeSeconds },
    },
    logger,
  );
}
