import { Controller, HttpCode, type OnModuleInit, Options, Res, type Type } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '../../contract/decorators.js';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import { imagesTag } from '../../contract/image-operations.js';
import { addRoute } from '../../framework/add-route.js';
import { ServedTo } from '../../framework/audience.js';
import type { ServiceAdapter } from '../../framework/http-application.js';
import { hijack } from '../../framework/hijack.js';
import type { Audience } from '../../wire/audience.js';
import { missingTicketId } from '../../framework/ticket-path.js';
import { RelayedImages } from '../relayed-images.js';
import { relayedMethods, relayedRoutes } from '../access/relayed-routes.js';
import { proxyAccess } from './relay.contract.js';

/**
 * The images API of the proxy (docs/protocol.md, "Relaying"): every request goes to the daemon that has the
 * image. What a method means there, the daemon decides.
 * @param audience who is relayed: everybody at a proxy, those with a ticket for another daemon at a daemon
 */
export function relayController(audience: Audience): Type {
  @ApiTags(imagesTag)
  @Controller('images')
  class RelayController implements OnModuleInit {
    constructor(
      readonly images: RelayedImages,
      private readonly adapterHost: HttpAdapterHost<ServiceAdapter>,
    ) {}

    onModuleInit(): void {
      const { images } = this;
      const { shortcuts } = this.adapterHost.httpAdapter;
      for (const route of relayedRoutes().filter(({ path }) => path === '')) {
        const { method } = route;
        if (method !== 'GET' && method !== 'PUT') continue;
        shortcuts.add(audience, method, (exchange, { ticketId }) =>
          images.answer(exchange, { ticketId, parameters: {} }, route),
        );
      }
    }

    /** 1.x clients ask the collection what it can do, before they have a ticket. */
    @Options()
    @HttpCode(204)
    @ApiExcludeEndpoint()
    optionsWithoutId(@Res({ passthrough: true }) reply: FastifyReply): void {
      reply.header('Allow', relayedMethods.join(','));
    }
  }

  for (const relayed of relayedRoutes()) {
    const { name, method, path, contract } = relayed;
    const decorator = contract?.(proxyAccess) ?? ApiExcludeEndpoint();
    const route = { name, method, path: `:id${path}`, decorator };
    addRoute(RelayController, route, ({ images }, request, reply) => {
      const { id, ...parameters } = request.params as { id: string };
      hijack(request, reply, (exchange) => images.answer(exchange, { ticketId: id, parameters }, relayed));
    });
  }
  for (const method of relayedMethods.filter((name) => name !== 'OPTIONS')) {
    const route = { name: `${method}WithoutId`, method, path: '', decorator: ApiExcludeEndpoint() };
    addRoute(RelayController, route, () => {
      throw missingTicketId();
    });
  }

  ServedTo(audience)(RelayController);
  return RelayController;
}
