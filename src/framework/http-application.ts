import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DynamicModule, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify';
import type { LimitsConfig } from '../config/sections/limits.js';
import { InvalidRequestError } from '../base/errors.js';
import { refuseCodedBody } from '../wire/headers/body-coding.js';
import { isImagesPath, isolateContent } from '../wire/headers/content-isolation.js';
import { setCorsHeaders } from '../wire/headers/cors.js';
import { Exchange } from '../wire/exchange.js';
import { headBeyondBounds, type PathParameters } from '../wire/headers/head-bounds.js';
import { parseJsonObject, readBody } from '../wire/json-body.js';
import { NestLogger } from './nest-logger.js';
import type { PolledRoute } from './polled.decorator.js';
import type { RequestBodyKind } from './request-body.decorator.js';
import { routableUrl } from './ticket-path.js';
import type { Logger } from '../log/logger.js';
import { audienceConstraint } from './audience.js';
import { RouteTables } from './route-tables.js';
import { Shortcuts } from './shortcuts.js';

/** `type/subtype` of RFC 9110 section 8.3.1, before any parameter. */
const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/;

export type ApplicationLimits = Pick<
  LimitsConfig,
  'jsonBodyBytesMax' | 'requestHeadBytesMax' | 'corsMaxAgeSeconds'
>;

/**
 * Fastify as this service uses it: no socket of its own, bodies by route instead of by type, and every
 * answer by way of the `Exchange` that a listener has made of the request.
 */
export class ServiceAdapter extends FastifyAdapter {
  readonly routes: RouteTables;
  readonly shortcuts = new Shortcuts((exchange, route) => {
    this.#begin(exchange, route);
    const refusal = headBeyondBounds(exchange.request, {});
    if (refusal !== undefined) throw refusal;
  });
  /**
   * Kept for speed: every request needs it, and the application gives it out only through a proxy object.
   */
  readonly #fastify: FastifyInstance;
  readonly #corsMaxAgeSeconds: number;

  constructor(limits: ApplicationLimits) {
    const routes = new RouteTables();
    super({
      skipMiddie: true,
      logger: false,
      // Fastify's own HEAD runs the GET handler, which would read the whole image.
      exposeHeadRoutes: false,
      bodyLimit: limits.jsonBodyBytesMax,
      // What it would compile schemas with is never loaded: no route of ours has one.
      schemaController: {
        compilersFactory: { buildValidator: compileNothing, buildSerializer: compileNothing },
      },
      rewriteUrl: ({ url = '' }) => routableUrl(url),
      routerOptions: {
        maxParamLength: limits.requestHeadBytesMax,
        ignoreTrailingSlash: true,
        constraints: { audience: audienceConstraint },
      },
      frameworkErrors: (error: FastifyError, request: FastifyRequest) => {
        Exchange.of(request.raw).fail(new InvalidRequestError('Invalid path', { cause: error }));
      },
    });
    this.routes = routes;
    this.#fastify = this.getInstance<FastifyInstance>();
    this.#corsMaxAgeSeconds = limits.corsMaxAgeSeconds;
    this.#hook(limits);
  }

  /** Answers a request that a listener made an `Exchange` of. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (!this.shortcuts.take(Exchange.of(request))) this.#fastify.routing(request, response);
  };

  /** What is due for every request that has a route, before anything else happens to it. */
  #begin(exchange: Exchange, route: string | undefined): void {
    const { request, response, audience } = exchange;
    // Fastify refuses a type it cannot parse with 415; no body of ours is read by its type.
    if (!mediaType.test(request.headers['content-type'] ?? '')) delete request.headers['content-type'];
    exchange.route = route;
    if (isImagesPath(request.url)) isolateContent(response);
    // No browser talks to the control service.
    if (audience === 'control') return;
    const allowedMethods = this.routes.of(audience).methods;
    setCorsHeaders(request, response, { allowedMethods, maxAgeSeconds: this.#corsMaxAgeSeconds });
  }

  #hook({ jsonBodyBytesMax }: ApplicationLimits): void {
    const fastify = this.#fastify;
    fastify.addHook('onRoute', ({ method, url, constraints }) => {
      this.routes.add(method, url, constraints);
    });
    fastify.addHook('onRequest', (request, _reply, done) => {
      const exchange = Exchange.of(request.raw);
      this.#begin(exchange, request.routeOptions.url);
      exchange.polled = (request.routeOptions.config as PolledRoute).polled === true;
      done(headBeyondBounds(request.raw, request.params as PathParameters));
    });
    fastify.addHook('onSend', (request, _reply, payload, done) => {
      Exchange.of(request.raw).settleFraming();
      done(null, payload);
    });
    fastify.removeAllContentTypeParsers();
    // Bodies are what the route says, whatever the client calls them: engine and vdsm send JSON without a
    // type, curl sends image data as a form.
    fastify.addContentTypeParser('*', async (request: FastifyRequest) =>
      readRouteBody(request, jsonBodyBytesMax),
    );
  }
}

/**
 * Makes the application of a role out of its module. Its routes are there after `initialise`: something may
 * still be mounted before.
 * @throws what a provider of the module throws, such as for a file of the configuration that is missing
 */
export async function createApplication(
  module: DynamicModule,
  limits: ApplicationLimits,
  logger: Logger,
): Promise<NestFastifyApplication> {
  return NestFactory.create<NestFastifyApplication>(
    module,
    new ServiceAdapter(limits),
    applicationOptions(logger),
  );
}

/** Registers the routes. Only afterwards can the application answer. */
export async function initialise(application: NestFastifyApplication): Promise<void> {
  await application.init();
  await application.getHttpAdapter().getInstance().ready();
}

/**
 * Nest must not read bodies, because the routes do, nor end the process when the start fails, because the
 * caller reports that.
 */
export function applicationOptions(logger: Logger): NestApplicationOptions {
  return { bodyParser: false, logger: new NestLogger(logger), abortOnError: false };
}

function compileNothing(): never {
  throw new Error('Requests and answers are checked without schemas of Fastify');
}

async function readRouteBody(request: FastifyRequest, limitBytes: number): Promise<unknown> {
  const { body, bodyName } = request.routeOptions.config as RequestBodyKind;
  // Image data is read by the operation itself. A body that no route asked for stays unread, and the
  // connection is closed after the answer.
  if (body === undefined) return undefined;
  refuseCodedBody(request.raw);
  const bytes = await readBody(request.raw, limitBytes);
  return body === 'json' ? parseJsonObject(bytes, bodyName ?? 'request') : bytes;
}
