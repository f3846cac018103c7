import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  ClientGoneError,
  InvalidRequestError,
  MethodNotAllowedError,
  NotFoundError,
  TooManyFailuresError,
} from '../errors.js';
import { describeError, type Logger } from '../logger.js';
import { errorStatus } from './error-response.js';
import { Exchange } from './exchange.js';
import type { RouteTable } from './route-table.js';

/** Turns whatever a handler throws into the answer that `error-response.ts` defines, and logs what is our fault. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(
    private readonly routes: RouteTable,
    private readonly logger: Logger,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const exchange = Exchange.of(request.raw);
    const error = thrown instanceof HttpException ? this.#translate(thrown, request) : thrown;
    logFailure(this.logger, exchange, error);
    reply.hijack();
    exchange.fail(error);
  }

  /** What the framework itself throws: it found no route, or could not read the request. Having no route comes first. */
  #translate(exception: HttpException, request: FastifyRequest): Error {
    if (exception.getStatus() === 404 || request.is404) {
      const path = (request.raw.url ?? '').split('?', 1)[0] ?? '';
      const allowed = this.routes.methodsOf(path);
      return allowed.length > 0 && !allowed.includes(request.method)
        ? new MethodNotAllowedError(request.method, allowed)
        : new NotFoundError('No such resource');
    }
    return exception.getStatus() < 500
      ? new InvalidRequestError('Invalid request', { cause: exception })
      : exception;
  }
}

/** An operator wants to see failures of the service and its storage; what a client did wrong is in the request's own line. */
export function logFailure(logger: Logger, exchange: Exchange, error: unknown): void {
  if (error instanceof ClientGoneError) return;
  const status = errorStatus(error);
  // The text of a 404 names what was asked for, which may be the id of a ticket: not for the log.
  exchange.logFields['error'] = error instanceof NotFoundError ? error.code : describeError(error);
  // Who tries many wrong credentials must not fill the log.
  if (error instanceof TooManyFailuresError) return;
  if (status < 500) return;
  const { requestId, listener, clientAddress: client, logFields } = exchange;
  const record = { request_id: requestId, listener, client, ...logFields, status };
  if (exchange.namesTransfer) logger.error(record, 'Request failed');
  else exchange.strangerRecords.write('error', record, 'Request failed');
}
