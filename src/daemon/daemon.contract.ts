import type { OpenAPIObject } from '@nestjs/swagger';
import { systemClock } from '../clock.js';
import { buildConfig } from '../config/build-config.js';
import { createControlApplication } from '../control/control-application.js';
import { openApiDocument } from '../http/openapi-document.js';
import { HashWorkers } from '../images/checksum/hash-workers.js';
import { createLogger } from '../logger.js';
import { MemoryTicketStore } from '../tickets/memory-ticket.store.js';
import { createBufferPool, createDataApplication, imageSources } from './daemon.js';

/** The contracts of the daemon, read off the applications that it serves; no socket is bound. */
export async function daemonContracts(): Promise<{ daemon: OpenAPIObject; control: OpenAPIObject }> {
  const { config } = buildConfig('daemon', []);
  const logger = createLogger({ level: 'silent', format: 'json', recordBytesMax: 2048 });
  const tickets = new MemoryTicketStore({ removeTimeoutSeconds: 0, ticketsMax: 1 }, systemClock);
  const sources = imageSources(logger);
  const schemes = sources.flatMap((source) => source.schemes);
  const hashWorkers = new HashWorkers();
  const data = await createDataApplication(config, {
    hashWorkers,
    pool: createBufferPool(config),
    tickets,
    sources,
    unixSocket: () => undefined,
    logger,
  });
  const control = await createControlApplication(config, tickets, schemes, logger);
  await Promise.all([data.init(), control.init()]);
  try {
    return {
      daemon: openApiDocument(data, {
        title: 'ovirt-imageio images API',
        description:
          'Reads and writes the disk images of one host. Every request names a ticket by its id, which is the only credential. ' +
          'Errors are short texts for people; with `Accept: application/json` they are problem details (RFC 9457).',
        server: { url: 'https://localhost:54322', description: 'A daemon' },
      }),
      control: openApiDocument(control, {
        title: 'ovirt-imageio tickets API',
        description:
          'Adds, shows, extends and removes tickets. Served on a unix socket, or a TCP port of localhost, without credentials: reaching it is the permission.',
        server: {
          url: 'http://localhost',
          description: 'The control socket, by default /run/ovirt-imageio/sock',
        },
      }),
    };
  } finally {
    await Promise.all([data.close(), control.close(), hashWorkers.close()]);
  }
}
