import type { OpenAPIObject } from '@nestjs/swagger';
import { commonRules, infoTag } from '../contract/common-description.js';
import { imageSchemas, imagesGroup } from '../contract/image-operations.js';
import { openApiDocument } from '../contract/openapi-document.js';
import { addProxySecurity } from '../contract/security.js';
import { InfoModule } from '../framework/info.controller.js';
import { RelayModule } from '../relay/relay.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { createContractRole } from './contract-role.js';

/** The contract of the proxy, read off the application that it serves; no socket is bound. */
export async function proxyContract(): Promise<OpenAPIObject> {
  const application = await createContractRole('proxy');
  try {
    return openApiDocument(application, {
      modules: [SessionsModule, RelayModule, InfoModule],
      title: 'ovirt-imageio proxy API',
      summary: 'Relays images for clients that cannot reach the hosts.',
      description:
        'Relays images for clients that cannot reach the hosts; the images API is that of the daemons ' +
        'behind it.\n\n' +
        '## Permission\n\n' +
        'A request for an image is authorised by the first of these that it has:\n\n' +
        '1. `Authorization`: a ticket that the engine signed. It opens a session, whose id comes back in ' +
        '`Session-Id`.\n' +
        '2. `Session-Id`: a session that `POST /sessions` opened.\n' +
        '3. `session_id` in the query: the same for browsers that follow a link.\n' +
        '4. Nothing but the id in the path, when the engine stored a signed ticket with `PUT /tickets`, ' +
        'or added a ticket at the control service.\n\n' +
        'The id in the path must be that of the transfer ticket. Credentials are not passed on to the ' +
        'daemon.\n' +
        commonRules,
      servers: [
        {
          url: 'https://{host}:{port}',
          description: 'A proxy',
          variables: {
            host: { default: 'localhost', description: 'Name of the host, as in its certificate' },
            port: { default: '54323', description: 'Port, `[remote] port`' },
          },
        },
      ],
      tags: [
        imagesGroup,
        infoTag,
        { name: 'sessions', description: 'Sessions are opened with tickets that the engine signed.' },
        {
          name: 'signed-tickets',
          description: 'Signed tickets that the engine stores itself, for clients without any credential.',
        },
      ],
      schemas: imageSchemas,
      extend: addProxySecurity,
    });
  } finally {
    await application.close();
  }
}
