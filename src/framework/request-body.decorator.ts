import { RouteConfig } from '@nestjs/platform-fastify';

/**
 * What the route's body is, kept in Fastify's route configuration. The body of a route without this entry is
 * not read.
 */
export interface RequestBodyKind {
  readonly body?: 'json' | 'bytes';
  readonly bodyName?: string;
}

/**
 * The body is JSON, whatever `Content-Type` says.
 * @param name what error texts call it: `Invalid ticket: …`
 */
export const JsonRequestBody = (name: string): MethodDecorator =>
  RouteConfig({ body: 'json', bodyName: name } satisfies RequestBodyKind);

/** The body is handed to the handler as a `Buffer`. */
export const BytesRequestBody = (): MethodDecorator =>
  RouteConfig({ body: 'bytes' } satisfies RequestBodyKind);
