import { applyDecorators } from '@nestjs/common';
import { ApiSecurity } from '../../contract/decorators.js';
import { uploadHeaders } from '../../contract/image-headers.js';
import type { ImageAccess } from '../../contract/image-operations.js';
import {
  bodilessRefusal,
  refusal,
  tooManyFailuresArguments,
  type ResponseHeaders,
} from '../../contract/refusals.js';
import { sessionHeader, sessionQuery, signedTicket } from '../../contract/security.js';

/**
 * The credentials of a relayed operation. The last one is for control tickets and stored grants: the
 * id in the path is the permission. Made anew for each operation, as a decorator of the library adds to what
 * it did before.
 */
const credentials: MethodDecorator = (...method) => {
  for (const credential of [signedTicket, sessionHeader, sessionQuery, {}])
    ApiSecurity(credential)(...method);
};

const refusals = [
  [
    401,
    'No credential was shown, or a signed ticket that does not verify.',
    'No signed ticket and no session was shown',
  ],
  [
    403,
    'The session or ticket is unknown, has ended or forbids the operation. The connection is closed.',
    'You are not allowed to access this resource: Ticket expired',
  ],
  tooManyFailuresArguments,
  [500, 'The storage failed; the log of the daemon says how.', 'Opening the image failed'],
  [
    502,
    'The daemon refused the connection, is not to be trusted, or broke off.',
    'The host of the image refused the connection',
  ],
  [
    503,
    'The daemon cannot be reached, or daemon or proxy is stopping or at a limit. Try again after ' +
      '`Retry-After` seconds.',
    'The host of the image cannot be reached',
  ],
  [
    504,
    'The daemon did not accept the connection, or did not answer, in time.',
    'The host of the image did not answer in time',
  ],
] as const;

const sessionId: ResponseHeaders = {
  'Session-Id': {
    description:
      'The session that authorised the request: shown with the next ones it saves the signed ticket.',
    schema: { type: 'string', format: 'uuid', example: '0e7b1d1c-7f6e-4f3a-9d0b-0f8f6a2f6c55' },
  },
};
const cacheControl = (required: boolean): ResponseHeaders => ({
  'Cache-Control': {
    description: 'Of images, and of refusals that name them, nobody may keep a copy.',
    required,
    schema: { type: 'string', example: 'no-cache, no-store' },
  },
});
// Not with what is refused before it is known to be about an image.
const refusalHeaders: ResponseHeaders = { ...cacheControl(false), ...sessionId };

/** Those that may be the daemon's own. */
const refusalsOfDaemons: readonly number[] = [403, 500, 503];

/** @param ofDaemon headers that the daemon's refusals have besides */
const ofAnyOperation = (ofDaemon: ResponseHeaders = {}): MethodDecorator =>
  applyDecorators(
    credentials,
    ...refusals.map(([status, description, title]) => {
      const added = refusalsOfDaemons.includes(status) ? ofDaemon : {};
      return refusal(status, description, title, { ...refusalHeaders, ...added });
    }),
  );

// A daemon answers without opening the image, or tells of its failure in an answer of 200.
const withoutStorage = applyDecorators(
  credentials,
  ...refusals
    .filter(([status]) => status !== 500)
    .map(([status, description, title]) => refusal(status, description, title, refusalHeaders)),
);

/** The images API of the proxy: credentials are judged here, the rest is the daemon's. */
export const proxyAccess: ImageAccess = {
  anyOperation: ofAnyOperation(),
  anyChange: ofAnyOperation(uploadHeaders),
  anyStorage: withoutStorage,
  head: applyDecorators(
    credentials,
    ...refusals.map(([status, description]) => bodilessRefusal(status, description, refusalHeaders)),
  ),
  headers: { ...cacheControl(true), ...sessionId },
  refusalHeaders,
  algorithms: withoutStorage,
};
