import type { OpenAPIObject } from '@nestjs/swagger';
import { commonRules, infoTag } from '../contract/common-description.js';
import { imageSchemas, imagesGroup } from '../contract/image-operations.js';
import { openApiDocument, type DocumentOptions } from '../contract/openapi-document.js';
import { InfoModule } from '../framework/info.controller.js';
import { CopiesModule } from '../images/copies.module.js';
import { ImagesModule } from '../images/images.module.js';
import { TicketsModule } from '../tickets/tickets.module.js';
import { createContractRole } from './contract-role.js';

const imagesApi: DocumentOptions = {
  modules: [ImagesModule, InfoModule],
  title: 'ovirt-imageio images API',
  summary: 'Reads and writes the disk images of one host.',
  description:
    'Reads and writes the disk images of one host: a client streams an image, or ranges of it, ' +
    'over HTTPS.\n\n' +
    '## Permission\n\n' +
    'Every request names a ticket by its id, which is the only credential: keep it secret. The ' +
    'owner of the ticket adds, watches, extends and removes it with the tickets API. An id that ' +
    'has no ticket is 403, so nobody learns which ids exist.\n\n' +
    'A transfer that moves bytes does not expire: each finished operation, and progress of a ' +
    'running one, extends the ticket. When a ticket is canceled, running requests are cut and new ' +
    'ones get 403.\n' +
    commonRules,
  servers: [
    {
      url: 'https://{host}:{port}',
      description: 'The remote service of a daemon',
      variables: {
        host: { default: 'localhost', description: 'Name of the host, as in its certificate' },
        port: { default: '54322', description: 'Port, `[remote] port`' },
      },
    },
    {
      url: 'http://localhost',
      description: 'The local service: a unix socket, by default the abstract \\0/org/ovirt/imageio',
    },
  ],
  tags: [imagesGroup, infoTag],
  schemas: imageSchemas,
};

const ticketsApi: DocumentOptions = {
  modules: [TicketsModule, CopiesModule],
  title: 'ovirt-imageio tickets API',
  summary: 'Adds, watches, extends and removes the tickets of a daemon or a proxy.',
  description:
    'Adds, watches, extends and removes tickets. Served on a unix socket, or a TCP port of ' +
    'localhost, without credentials: reaching it is the permission.\n' +
    commonRules,
  servers: [
    {
      url: 'http://localhost',
      description: 'The control socket, by default /run/ovirt-imageio/sock',
    },
    {
      url: 'http://localhost:{port}',
      description: 'The control port, with `[control] transport = tcp`',
      variables: { port: { default: '54324', description: 'Port, `[control] port`' } },
    },
  ],
  tags: [
    { name: 'copies', description: 'Copies between the images of tickets. A proxy has none.' },
    { name: 'tickets', description: 'Short-lived permissions to transfer one image each.' },
  ],
};

/** The contracts of the daemon, read off the application that it serves; no socket is bound. */
export async function daemonContracts(): Promise<{ daemon: OpenAPIObject; control: OpenAPIObject }> {
  const application = await createContractRole('daemon');
  try {
    return {
      daemon: openApiDocument(application, imagesApi),
      control: openApiDocument(application, ticketsApi),
    };
  } finally {
    await application.close();
  }
}
