import { RouteConfig } from '@nestjs/platform-fastify';

/** Kept in Fastify's route configuration. */
export interface PolledRoute {
  readonly polled?: boolean;
}

/**
 * Who watches something asks for this again and again: answers are logged for debugging only, refusals as
 * ever.
 */
export const Polled = (): MethodDecorator => RouteConfig({ polled: true } satisfies PolledRoute);
