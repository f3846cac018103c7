import type { OpenAPIObject } from '@nestjs/swagger';
import { systemClock } from '../clock.js';
import { buildConfig } from '../config/build-config.js';
import { openApiDocument } from '../http/openapi-document.js';
import { createLogger } from '../logger.js';
import { DaemonAgents } from '../relay/daemon-agents.js';
import { signedTicketSecurityName, signedTicketSecurityScheme } from '../sessions/signed-ticket.security.js';
import { PlainTicketVerifier } from '../sessions/signed-ticket.verifier.js';
import { MemoryTicketStore } from '../tickets/memory-ticket.store.js';
import { createProxyDataApplication, createProxyParts } from './proxy.js';
import { memorySessionStores } from './session-stores.js';

/** The contract of the proxy, read off the application that it serves; no socket is bound. */
export async function proxyContract(): Promise<OpenAPIObject> {
  const { config } = buildConfig('proxy', []);
  const logger = createLogger({ level: 'silent', format: 'json', recordBytesMax: 2048 });
  const tickets = new MemoryTicketStore({ removeTimeoutSeconds: 0, ticketsMax: 1 }, systemClock);
  const { signedTicketBytesMax } = config.limits;
  const ticketVerifier = new PlainTicketVerifier(
    { allowedSkewSeconds: 0, allowHttp: false, signedTicketBytesMax },
    systemClock,
  );
  const agents = new DaemonAgents({ caPem: undefined });
  const stores = memorySessionStores(config);
  const parts = createProxyParts(config, { tickets, ticketVerifier, stores, agents, logger });
  const application = await createProxyDataApplication(config, parts, logger);
  await application.init();
  try {
    return openApiDocument(application, {
      title: 'ovirt-imageio proxy API',
      description:
        'Relays images for clients that cannot reach the hosts. Sessions are opened with tickets that the engine signed; the images ' +
        'API behind them is that of the daemon.',
      server: { url: 'https://localhost:54323', description: 'A proxy' },
      extend: (builder) => builder.addSecurity(signedTicketSecurityName, signedTicketSecurityScheme),
    });
  } finally {
    await application.close();
    for (const resource of stores.resources) await resource.close();
    agents.close();
  }
}
