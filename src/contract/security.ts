import type { DocumentBuilder } from '@nestjs/swagger';

/** The names by which operations of the contract ask for a credential. */
export const signedTicket = 'signedTicket';
export const sessionHeader = 'sessionHeader';
export const sessionQuery = 'sessionQuery';

/** Adds the credentials of the proxy to its contract. */
export function addProxySecurity(builder: DocumentBuilder): DocumentBuilder {
  return builder
    .addSecurity(signedTicket, {
      type: 'apiKey',
      in: 'header',
      name: 'Authorization',
      description:
        'A signed ticket as the engine made it: base64 on one line, without a scheme such as `Bearer` ' +
        'before it. It names the daemon and the transfer ticket, and is valid for a limited time.',
    })
    .addSecurity(sessionHeader, {
      type: 'apiKey',
      in: 'header',
      name: 'Session-Id',
      description: 'The id of a session that `POST /sessions` opened.',
    })
    .addSecurity(sessionQuery, {
      type: 'apiKey',
      in: 'query',
      name: 'session_id',
      description:
        'The id of a session, for browsers that follow a link and can send no header. Logs of others may ' +
        'keep it.',
    });
}
