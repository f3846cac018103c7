import { applyDecorators } from '@nestjs/common';
import type { ImageAccess } from '../../contract/image-operations.js';
import { uploadHeaders } from '../../contract/image-headers.js';
import {
  bodilessRefusal,
  refusal,
  stopping,
  stoppingArguments,
  type ResponseHeaders,
} from '../../contract/refusals.js';

const notAllowed =
  'There is no such ticket, or it expired, was canceled or forbids the operation, or its image is in a ' +
  'place where none may be. The connection is closed.';
const failed = 'The storage failed; the log of the service says how.';

const forbidden = (headers: ResponseHeaders = {}): MethodDecorator =>
  refusal(403, notAllowed, 'You are not allowed to access this resource: No such ticket', headers);

const ofAnyOperation = (headers: ResponseHeaders = {}): MethodDecorator =>
  applyDecorators(
    forbidden(headers),
    refusal(500, failed, 'Opening the image failed', headers),
    refusal(...stoppingArguments, headers),
  );

/** The images API of a daemon: the id in the path is the permission, and the storage is its own. */
export const daemonAccess: ImageAccess = {
  anyOperation: ofAnyOperation(),
  anyChange: ofAnyOperation(uploadHeaders),
  anyStorage: applyDecorators(forbidden(), stopping),
  head: applyDecorators(
    bodilessRefusal(403, notAllowed),
    bodilessRefusal(500, failed),
    bodilessRefusal(503, 'The service is stopping or at a limit.'),
  ),
  headers: {},
  refusalHeaders: {},
  algorithms: stopping,
};
