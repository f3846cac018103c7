import type { IncomingMessage, ServerResponse } from 'node:http';
import { MethodNotAllowedError, NotFoundError } from '../base/errors.js';
import { Exchange } from '../wire/exchange.js';
import type { Health } from './health.js';
import type { Metrics } from './metrics.js';

export const monitoringMethods = ['GET', 'HEAD'] as const;

type Route = (exchange: Exchange) => Promise<void> | void;

/**
 * Answers the requests of monitoring systems: `/metrics`, `/health/live` and `/health/ready`. It is a
 * function instead of an application of the framework, so that it is there before the framework is and needs
 * none of it.
 */
export function monitoringHandler(
  metrics: Metrics,
  health: Health,
): (request: IncomingMessage, response: ServerResponse) => void {
  const routes: Readonly<Record<string, Route>> = {
    '/metrics': async (exchange) => {
      const text = await metrics.render();
      exchange.send(200, { 'Content-Type': metrics.contentType, ...noStore }, text);
    },
    // Getting this answer at all shows that the event loop runs. A restart would mend nothing else, so
    // nothing else is checked.
    '/health/live': (exchange) => {
      sendJson(exchange, 200, { status: 'ok' });
    },
    '/health/ready': async (exchange) => {
      const { ready, checks } = await health.report();
      sendJson(exchange, ready ? 200 : 503, { status: ready ? 'ok' : 'not ready', checks });
    },
  };
  return (request) => {
    const exchange = Exchange.of(request);
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    void answer(exchange, path, Object.hasOwn(routes, path) ? routes[path] : undefined);
  };
}

const noStore = { 'Cache-Control': 'no-store' };

async function answer(exchange: Exchange, path: string, route: Route | undefined): Promise<void> {
  const { method = '' } = exchange.request;
  try {
    if (route === undefined) throw new NotFoundError('No such resource');
    exchange.route = path;
    if (!monitoringMethods.some((known) => known === method))
      throw new MethodNotAllowedError(method, monitoringMethods);
    await route(exchange);
  } catch (error: unknown) {
    exchange.fail(error);
  }
}

function sendJson(exchange: Exchange, status: number, body: object): void {
  exchange.send(status, { 'Content-Type': 'application/json', ...noStore }, `${JSON.stringify(body)}\n`);
}
