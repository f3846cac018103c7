import { ClientGoneError, NotFoundError, TooManyFailuresError } from '../base/errors.js';
import { describeError } from '../log/logger.js';
import { errorStatus } from './error-response.js';
import type { Exchange } from './exchange.js';

/**
 * Puts the error into the log record of the request. That of a failure of the service or its storage is an
 * error; those of mistakes of clients are not.
 */
export function logFailure(exchange: Exchange, error: unknown): void {
  if (error instanceof ClientGoneError) return;
  // The text of a 404 names what was asked for, which may be the id of a ticket: not for the log.
  exchange.logFields['error'] = error instanceof NotFoundError ? error.code : describeError(error);
  // A client that tries many wrong credentials must not fill the log.
  if (error instanceof TooManyFailuresError) return;
  exchange.failed = errorStatus(error) >= 500;
}
