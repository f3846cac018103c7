import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { InvalidRequestError, MethodNotAllowedError, NotFoundError } from '../base/errors.js';
import type { Audience } from '../wire/audience.js';
import { Exchange } from '../wire/exchange.js';
import { logFailure } from '../wire/log-failure.js';
import type { ServiceAdapter } from './http-application.js';

/**
 * Turns whatever a handler throws into the answer that `error-response.ts` defines, and logs what is our
 * fault.
 */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly adapterHost: HttpAdapterHost<ServiceAdapter>) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const exchange = Exchange.of(request.raw);
    const error =
      thrown instanceof HttpException ? this.#translate(thrown, request, exchange.audience) : thrown;
    logFailure(exchange, error);
    reply.hijack();
    exchange.fail(error);
  }

  /**
   * What the framework itself throws: it found no route, or could not read the request. Having no route comes
   * first.
   */
  #translate(exception: HttpException, request: FastifyRequest, audience: Audience): Error {
    if (exception.getStatus() === 404 || request.is404) {
      const path = (request.raw.url ?? '').split('?', 1)[0] ?? '';
      const allowed = this.adapterHost.httpAdapter.routes.of(audience).methodsOf(path);
      return allowed.length > 0 && !allowed.includes(request.method)
        ? new MethodNotAllowedError(request.method, allowed)
        : new NotFoundError('No such resource');
    }
    return exception.getStatus() < 500
      ? new InvalidRequestError('Invalid request', { cause: exception })
      : exception;
  }
}
