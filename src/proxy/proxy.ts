import { readFileSync } from 'node:fs';
import { systemClock } from '../clock.js';
import type { Config } from '../config/config.js';
import { createControlApplication } from '../control/control-application.js';
import { HttpApplication } from '../http/http-application.js';
import { mountSwaggerUi } from '../http/swagger-ui.js';
import { ListenerFactory } from '../listeners/listener-factory.js';
import { Service } from '../listeners/service.js';
import type { Logger } from '../logger.js';
import { DaemonAgents } from '../relay/daemon-agents.js';
import { RelayAccess } from '../relay/relay-access.js';
import { RelayProxy } from '../relay/relay.proxy.js';
import { RelayedImages } from '../relay/relayed-images.js';
import { Credentials } from '../sessions/credentials.js';
import { MemoryGrantStore } from '../sessions/memory-grant.store.js';
import { MemorySessionStore } from '../sessions/memory-session.store.js';
import { loadTicketVerifier } from '../sessions/ticket-verifier.factory.js';
import type { TicketVerifier } from '../sessions/ticket.verifier.js';
import { MemoryTicketStore } from '../tickets/memory-ticket.store.js';
import { readTicketFile } from '../tickets/ticket-file.js';
import { ProxyModule } from './proxy.module.js';

// Daemons keep unused connections for 60 s at least; ours go earlier, so that we seldom send into one that is being closed.
const daemonIdleSeconds = 30;
const idlePerDaemonMax = 32;
const sweepIntervalSeconds = 10;

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
    await tickets.add(await readTicketFile(file, { inactivityTimeoutSeconds, schemes }));
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

  const agents = new DaemonAgents({
    caPem: daemonAuthorities(config),
    idleSeconds: daemonIdleSeconds,
    idlePerDaemonMax,
  });
  const parts = createProxyParts(config, { tickets, ticketVerifier, agents, logger });
  const data = await createProxyDataApplication(config, parts, logger);
  if (config.docs.enable) mountSwaggerUi(data, config.docs.path, 'proxy');
  const controlApplication = await createControlApplication(config, tickets, schemes, logger);
  await Promise.all([data.init(), controlApplication.init()]);

  const factory = new ListenerFactory(config, logger);
  const listeners = [
    factory.remote(data),
    ...(config.local.enable ? [factory.local(data)] : []),
    ...(control.enable ? [factory.control(controlApplication)] : []),
  ];
  const resources = [parts.sessionStore, parts.grantStore, agents];
  return new Service(
    { applications: [data, controlApplication], listeners, resources, graceSeconds: limits.graceSeconds },
    logger,
  );
}

interface ProxyInputs {
  readonly tickets: MemoryTicketStore;
  readonly ticketVerifier: TicketVerifier;
  readonly agents: DaemonAgents;
  readonly logger: Logger;
}

export interface ProxyParts {
  readonly images: RelayedImages;
  readonly ticketVerifier: TicketVerifier;
  readonly sessionStore: MemorySessionStore;
  readonly grantStore: MemoryGrantStore;
}

/** What the data application is made of. */
export function createProxyParts(config: Config, inputs: ProxyInputs): ProxyParts {
  const { tickets, ticketVerifier, agents, logger } = inputs;
  const { limits, proxy, daemon, tls } = config;
  const storeLimits = { sessionsMax: limits.sessionsMax, sweepIntervalSeconds };
  const sessionStore = new MemorySessionStore(storeLimits, systemClock);
  const grantStore = new MemoryGrantStore(storeLimits, systemClock);
  const relay = new RelayProxy(agents, {
    connectTimeoutSeconds: proxy.imagedConnectionTimeoutSeconds,
    readTimeoutSeconds: proxy.imagedReadTimeoutSeconds,
  });
  const access = new RelayAccess(new Credentials(ticketVerifier, sessionStore, grantStore), tickets, {
    inactivityTimeoutSeconds: daemon.inactivityTimeoutSeconds,
    allowHttp: !tls.enable,
  });
  return { images: new RelayedImages(access, relay, logger), ticketVerifier, sessionStore, grantStore };
}

/** Sessions, stored tickets and relayed images. */
export async function createProxyDataApplication(
  { limits }: Config,
  parts: ProxyParts,
  logger: Logger,
): Promise<HttpApplication> {
  return HttpApplication.create(
    {
      module: ProxyModule.register(parts),
      bodyBytesMax: limits.jsonBodyBytesMax,
      requestHeadBytes: limits.requestHeadBytesMax,
      subResources: { images: ['/checksum/algorithms', '/checksum', '/extents'], tickets: [], sessions: [] },
      cors: { maxAgeSeconds: limits.corsMaxAgeSeconds },
    },
    logger,
  );
}

/** The authority that daemons' certificates are verified with; undefined: those of the system. */
function daemonAuthorities({ backendHttp, tls }: Config): string | undefined {
  if (!tls.enable || backendHttp.caFile === '') return undefined;
  try {
    return readFileSync(backendHttp.caFile, 'utf8');
  } catch (error: unknown) {
    throw new Error('Cannot read [backend_http] ca_file', { cause: error });
  }
}
