import type { Config } from '../config/config.js';
import { HttpApplication } from '../http/http-application.js';
import type { Logger } from '../logger.js';
import type { TicketStore } from '../tickets/ticket.store.js';
import { TicketsModule } from '../tickets/tickets.module.js';

/**
 * The control service of either role: `/tickets/…` and nothing else. It is an application of its own, so that these routes cannot be
 * reached from the network by construction, not by a guard.
 */
export async function createControlApplication(
  config: Config,
  tickets: TicketStore,
  schemes: readonly string[],
  logger: Logger,
): Promise<HttpApplication> {
  const { daemon, limits } = config;
  return HttpApplication.create(
    {
      module: TicketsModule.register(
        tickets,
        { inactivityTimeoutSeconds: daemon.inactivityTimeoutSeconds, schemes },
        logger,
      ),
      bodyBytesMax: limits.jsonBodyBytesMax,
      requestHeadBytes: limits.requestHeadBytesMax,
      subResources: { tickets: [] },
    },
    logger,
  );
}
