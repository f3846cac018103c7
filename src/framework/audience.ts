import { RouteConstraints } from '@nestjs/platform-fastify';
import type { FastifyServerOptions } from 'fastify';
import { audiences, type Audience } from '../wire/audience.js';
import { Exchange } from '../wire/exchange.js';

/** Binds all routes of a controller to one audience. A route without one stops the start. */
export function ServedTo(audience: Audience): ClassDecorator {
  const constrain = RouteConstraints({ audience });
  return (controller) => {
    const prototype = controller.prototype as Record<string, unknown>;
    const methods = Object.getOwnPropertyDescriptors(prototype);
    for (const [name, descriptor] of Object.entries(methods))
      if (name !== 'constructor' && typeof descriptor.value === 'function')
        constrain(prototype, name, descriptor);
  };
}

type AudienceStrategy = NonNullable<
  NonNullable<FastifyServerOptions['routerOptions']>['constraints']
>[string];
type StoredHandler = Parameters<ReturnType<AudienceStrategy['storage']>['set']>[1];

/** By which the router tells routes of the same method and path apart. */
export const audienceConstraint: AudienceStrategy = {
  name: 'audience',
  /** A route for one audience is none for the others. */
  mustMatchWhenDerived: true,
  storage: () => {
    const handlers = new Map<string, StoredHandler>();
    return {
      get: (audience) => handlers.get(audience) ?? null,
      set: (audience, handler) => {
        handlers.set(audience, handler);
      },
    };
  },
  validate: (audience) => {
    if (!audiences.some((known) => known === audience))
      throw new Error(`A route is for the audience ${String(audience)}, which does not exist`);
  },
  deriveConstraint: (request) => Exchange.of(request).audience,
};
