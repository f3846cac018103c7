import type { FastifyReply, FastifyRequest } from 'fastify';
import { isPreflight } from '../http/cors.js';
import type { Exchange } from '../http/exchange.js';
import { hijack } from '../http/hijack.js';
import type { Logger } from '../logger.js';
import { imageRequest, type SubResource } from './image-request.js';
import type { RelayAccess } from './relay-access.js';
import type { RelayProxy } from './relay.proxy.js';

export const allowedMethods = 'OPTIONS,GET,HEAD,PUT,PATCH,POST';

/** Answers requests for images from the daemons that have them. */
export class RelayedImages {
  constructor(
    private readonly access: RelayAccess,
    private readonly proxy: RelayProxy,
    private readonly logger: Logger,
  ) {}

  /** Answers the request, whatever happens. @param ticketId as in the path, decoded */
  async answer(
    request: FastifyRequest,
    reply: FastifyReply,
    ticketId: string,
    subResource: SubResource,
  ): Promise<void> {
    await hijack(request, reply, this.logger, async (exchange) => {
      // Of images, and of refusals that name them, nobody may keep a copy.
      exchange.response.setHeader('Cache-Control', 'no-cache, no-store');
      if (isPreflight(exchange.request)) exchange.send(200, { Allow: allowedMethods });
      else if (isAboutService(request, ticketId, subResource)) sendServiceCapabilities(exchange);
      else await this.#relay(exchange, ticketId, subResource);
    });
  }

  async #relay(exchange: Exchange, ticketId: string, subResource: SubResource): Promise<void> {
    const { request, response, connection, logFields } = exchange;
    const wanted = imageRequest(request, ticketId, subResource);
    const permit = await this.access.permit(wanted, {
      authorization: request.headers.authorization,
      sessionId: [request.headers['session-id']].flat()[0],
      address: request.socket.remoteAddress,
    });
    connection.authorized(permit.inactivityTimeoutSeconds);
    logFields['operation'] = wanted.kind;
    logFields['daemon'] = permit.image.origin.host;
    if (permit.transferId !== undefined) logFields['transfer_id'] = permit.transferId;
    if (permit.sessionId !== undefined) response.setHeader('Session-Id', permit.sessionId);
    const running = permit.begin(exchange, wanted);
    try {
      await this.proxy.relay(
        exchange,
        { origin: permit.image.origin, path: `${permit.image.path}${subResource}${wanted.query}` },
        {
          signal: running.signal,
          ...(running.observer === undefined ? {} : { observer: running.observer }),
          isCapabilities: request.method === 'OPTIONS' && subResource === '',
          closes: wanted.closes,
        },
      );
    } finally {
      running.end();
    }
  }
}

/** The id `*` stands for the service itself, and needs no ticket (spec section 2, OPTIONS). */
function isAboutService({ method }: FastifyRequest, ticketId: string, subResource: SubResource): boolean {
  return method === 'OPTIONS' && ticketId === '*' && subResource === '';
}

function sendServiceCapabilities(exchange: Exchange): void {
  const body = JSON.stringify({ features: ['checksum', 'extents', 'flush', 'zero'] });
  exchange.send(200, { 'Content-Type': 'application/json', Allow: 'OPTIONS,GET,PUT,PATCH' }, body);
}
