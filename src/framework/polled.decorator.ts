import { RouteConfig } from '@nestjs/platform-fastify';

/** Kept in Fastify's route configuration. */
export interface PolledRoute {
  readonly polled?: boolean;
}

/**
 * For routes that clients ask again and again to watch something. Their successful answers are logged at
 * level debug, refusals like those of every other route.
 */
export const Polled = (): MethodDecorator => RouteConfig({ polled: true } satisfies PolledRoute);
