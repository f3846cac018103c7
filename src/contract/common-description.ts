/** What every contract says first: rules that hold for all of its operations. */
export const commonRules = `
## Refusals

Errors are short texts for people, \`text/plain\`. With \`Accept: application/json\` they are problem details
(RFC 9457) with a \`type\` for programs.

* 4xx: the request cannot succeed as it is. 403 closes the connection.
* 405 is the answer to a method that a path does not have; \`Allow\` names those that it has.
* 408, 429, 503, 504: repeat the request later, after \`Retry-After\` seconds where that is said.
* 500, 507: the storage failed. The log of the service says how; the answer does not.

A refusal that comes before the whole request body was read says \`Connection: close\`, and the connection is
closed after it. A failure after the response has begun closes the connection, so that the body is shorter
than \`Content-Length\`, never wrong.

## Connections

HTTP/1.1, kept alive for at least 60 s of silence. Request line and headers together have at most 16 KiB and
256 headers, a query 64 parameters. Tickets and signed tickets in a body have at most 64 KiB, operations on an
image 4 KiB; JSON has at most 32 levels and 1024 values. A trailing slash in a path makes no difference.

A request is judged in this order: its head, then its ticket or credentials, then its body.

## Numbers

Positions and sizes are bytes, times are seconds, both whole numbers. Those of format \`int64\` are at most
2^53 − 1 in requests, which JSON carries exactly everywhere.
`;

export const infoTag = { name: 'info', description: 'What service this is.' } as const;
