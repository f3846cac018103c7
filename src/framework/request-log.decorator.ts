import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Exchange, type RequestLog as Log } from '../wire/exchange.js';

export type RequestLog = Log;

/**
 * What the log record of the request will say, for a controller that knows more of it than method and status.
 */
export const RequestLog = createParamDecorator((_data: unknown, context: ExecutionContext): Log => {
  const { raw } = context.switchToHttp().getRequest<FastifyRequest>();
  const { requestId, logFields } = Exchange.of(raw);
  return { requestId, logFields };
});
