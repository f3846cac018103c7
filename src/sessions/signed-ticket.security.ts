/** The name by which operations of the contract ask for a signed ticket. */
export const signedTicketSecurityName = 'signedTicket';

/** What `DocumentBuilder.addSecurity(signedTicketSecurityName, …)` takes. */
export const signedTicketSecurityScheme = {
  type: 'apiKey',
  in: 'header',
  name: 'Authorization',
  description:
    'A signed ticket as the engine made it: base64 on one line, without a scheme such as `Bearer` before it. ' +
    'It names the daemon and the transfer ticket, and is valid for a limited time.',
} as const;
