import type { Config } from '../config/config.js';
import { NotAllowedError } from '../errors.js';
import { HttpApplication } from '../http/http-application.js';
import { imageSubResources } from '../http/ticket-path.js';
import type { Logger } from '../logger.js';
import type { Metrics } from '../observability/metrics.js';
import { DaemonAgents, daemonAuthorities } from '../relay/daemon-agents.js';
import { RelayAccess, type SessionCredentials } from '../relay/relay-access.js';
import { RelayModule } from '../relay/relay.module.js';
import { RelayProxy } from '../relay/relay.proxy.js';
import { RelayedImages } from '../relay/relayed-images.js';
import { OperationRunner } from '../tickets/operation-runner.js';
import type { TicketStore } from '../tickets/ticket.store.js';

/** A daemon has no sessions: a ticket of its own is the only permission. */
const ticketsOnly: SessionCredentials = {
  find: async () => undefined,
  refusal: () => new NotAllowedError('No such ticket'),
};

export function createDaemonAgents(config: Config): DaemonAgents {
  return new DaemonAgents(daemonAuthorities(config));
}

interface RelayApplicationParts {
  readonly tickets: TicketStore;
  readonly agents: DaemonAgents;
  readonly logger: Logger;
  readonly metrics?: Metrics | undefined;
}

/** Relays tickets whose images other daemons have. */
export async function createRelayApplication(
  { daemon, limits, proxy, tls }: Config,
  { tickets, agents, logger, metrics }: RelayApplicationParts,
): Promise<HttpApplication> {
  const relay = new RelayProxy(agents, {
    connectTimeoutSeconds: proxy.imagedConnectionTimeoutSeconds,
    readTimeoutSeconds: proxy.imagedReadTimeoutSeconds,
    operationTimeoutSeconds: proxy.imagedOperationTimeoutSeconds,
  });
  const access = new RelayAccess(ticketsOnly, tickets, {
    inactivityTimeoutSeconds: daemon.inactivityTimeoutSeconds,
    allowHttp: !tls.enable,
  });
  const runner = new OperationRunner(metrics?.transfers);
  const images = new RelayedImages(access, relay, runner, logger, metrics);
  return HttpApplication.create(
    {
      module: RelayModule.register(images),
      bodyBytesMax: limits.jsonBodyBytesMax,
      requestHeadBytes: limits.requestHeadBytesMax,
      subResources: { images: imageSubResources },
      cors: { maxAgeSeconds: limits.corsMaxAgeSeconds },
    },
    logger,
  );
}
