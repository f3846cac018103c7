import type { FastifyReply, FastifyRequest } from 'fastify';
import { Exchange } from '../wire/exchange.js';
import { logFailure } from '../wire/log-failure.js';

/**
 * Takes the response out of the framework's hands for `work`, which answers by itself. Once a reply is
 * hijacked, nothing the framework does can answer any more and an error would leave the client waiting, so
 * errors end here. Nobody waits for the work but its exchange: what the framework holds for a request is free
 * while it goes on, which for a client that follows events may be for hours.
 */
export function hijack(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (exchange: Exchange) => Promise<void>,
): void {
  reply.hijack();
  answerItself(Exchange.of(request.raw), work);
}

/** Has `work` answer a request that the framework does not answer. What it throws is the answer then. */
export function answerItself(exchange: Exchange, work: (exchange: Exchange) => Promise<void>): void {
  void exchange.do(async () => {
    try {
      await work(exchange);
    } catch (error: unknown) {
      logFailure(exchange, error);
      exchange.fail(error);
    }
  });
}
