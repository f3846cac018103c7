import { ClientGoneError, NotFoundError, TooManyFailuresError } from '../base/errors.js';
import { describeError, type Logger } from '../log/logger.js';
import { errorStatus } from './error-response.js';
import type { Exchange } from './exchange.js';

/**
 * Puts the error into the log record of the request. Failures of the service or its storage, which operators
 * want to see, get a record of their own as well; mistakes of clients do not.
 */
export function logFailure(logger: Logger, exchange: Exchange, error: unknown): void {
  if (error instanceof ClientGoneError) return;
  const status = errorStatus(error);
  // The text of a 404 names what was asked for, which may be the id of a ticket: not for the log.
  exchange.logFields['error'] = error instanceof NotFoundError ? error.code : describeError(error);
  // A client that tries many wrong credentials must not fill the log.
  if (error instanceof TooManyFailuresError) return;
  if (status < 500) return;
  const { requestId, listener, clientAddress: client, logFields } = exchange;
  const record = { request_id: requestId, listener, client, ...logFields, status };
  if (exchange.namesTransfer) logger.error(record, 'Request failed');
  else exchange.strangerRecords.write('error', record, 'Request failed');
}
