import { Controller, type OnModuleInit, type Type } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ApiExcludeEndpoint, ApiTags } from '../../contract/decorators.js';
import { imagesTag } from '../../contract/image-operations.js';
import { imageRoutes, type ImageRoute } from '../../contract/image-routes.js';
import { addRoute } from '../../framework/add-route.js';
import { ServedTo } from '../../framework/audience.js';
import type { ServiceAdapter } from '../../framework/http-application.js';
import { hijack } from '../../framework/hijack.js';
import { missingTicketId } from '../../framework/ticket-path.js';
import { ImageHandlers, type QueryValues } from '../operations/image-handler.js';
import { daemonAccess } from './images.contract.js';

/**
 * The images API (docs/protocol.md, "The images API"): each route of the table `imageRoutes` hands its
 * requests to the handler of its name.
 */
export function imagesController(): Type {
  const routes: readonly ImageRoute[] = imageRoutes;

  @ApiTags(imagesTag)
  @Controller('images')
  class ImagesController implements OnModuleInit {
    constructor(
      readonly handlers: ImageHandlers,
      private readonly adapterHost: HttpAdapterHost<ServiceAdapter>,
    ) {}

    onModuleInit(): void {
      const { shortcuts } = this.adapterHost.httpAdapter;
      for (const { name, method } of routes.filter(({ path }) => path === '')) {
        if (method !== 'GET' && method !== 'PUT') continue;
        const handler = this.handlers.of(name);
        shortcuts.add('network', method, (exchange, asked) =>
          handler.handle(exchange, { ...asked, parameters: {} }),
        );
      }
    }
  }

  for (const { name, method, path, contract } of routes) {
    const route = { name, method, path: `:id${path}`, decorator: contract(daemonAccess) };
    addRoute(ImagesController, route, ({ handlers }, request, reply) => {
      const { id: ticketId, ...parameters } = request.params as { id: string };
      const query = request.query as QueryValues;
      hijack(request, reply, (exchange) =>
        handlers.of(name).handle(exchange, { ticketId, query, parameters }),
      );
    });
  }
  for (const { name, method } of routes.filter(({ path }) => path === '')) {
    const route = { name: `${name}WithoutId`, method, path: '', decorator: ApiExcludeEndpoint() };
    addRoute(ImagesController, route, () => {
      throw missingTicketId();
    });
  }

  ServedTo('network')(ImagesController);
  return ImagesController;
}
