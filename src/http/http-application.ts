import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify';
import { InvalidRequestError } from '../errors.js';
import type { Logger } from '../logger.js';
import { refuseCodedBody } from './body-coding.js';
import { isImagesPath, isolateContent } from './content-isolation.js';
import { setCorsHeaders } from './cors.js';
import { ErrorFilter } from './error.filter.js';
import { Exchange } from './exchange.js';
import { headBeyondBounds, type PathParameters } from './head-bounds.js';
import { parseJsonObject, readBody } from './json-body.js';
import { NestLogger } from './nest-logger.js';
import type { PolledRoute } from './polled.decorator.js';
import type { RequestBodyKind } from './request-body.decorator.js';
import { RouteTable } from './route-table.js';
import { routableUrl } from './ticket-path.js';

/** `type/subtype` of RFC 9110 section 8.3.1, before any parameter. */
const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/;

export interface HttpApplicationOptions {
  readonly module: DynamicModule;
  /** How much JSON (or signed ticket) a request body may have. */
  readonly bodyBytesMax: number;
  /** Request line and headers together; no id in a path can be longer. */
  readonly requestHeadBytes: number;
  /** Collections whose ids may have slashes, and what can follow an id. */
  readonly subResources: Readonly<Record<string, readonly string[]>>;
  /** Absent: no browser talks to this application. */
  readonly cors?: { readonly maxAgeSeconds: number };
}

/** A Nest application without a socket of its own: listeners put as many sockets in front of its router as there are. */
export class HttpApplication {
  private constructor(
    readonly nest: NestFastifyApplication,
    readonly routes: RouteTable,
    /** Kept, because Nest hands it out through a proxy object, and it is needed for every request. */
    private readonly fastify: FastifyInstance,
  ) {}

  static async create(options: HttpApplicationOptions, logger: Logger): Promise<HttpApplication> {
    const routes = new RouteTable();
    const adapter = new FastifyAdapter({
      skipMiddie: true,
      logger: false,
      // Fastify's own HEAD runs the GET handler, which would read the whole image.
      exposeHeadRoutes: false,
      bodyLimit: options.bodyBytesMax,
      rewriteUrl: ({ url = '' }) => routableUrl(url, options.subResources),
      routerOptions: { maxParamLength: options.requestHeadBytes, ignoreTrailingSlash: true },
      frameworkErrors: (error: FastifyError, request: FastifyRequest) => {
        Exchange.of(request.raw).fail(new InvalidRequestError('Invalid path', { cause: error }));
      },
    });
    const fastify = adapter.getInstance<FastifyInstance>();
    fastify.addHook('onRoute', ({ method, url }) => {
      routes.add(method, url);
    });
    fastify.addHook('onRequest', (request, reply, done) => {
      const exchange = Exchange.of(request.raw);
      // Fastify refuses a type it cannot parse with 415; no body of ours is read by its type.
      if (!mediaType.test(request.raw.headers['content-type'] ?? ''))
        delete request.raw.headers['content-type'];
      exchange.route = request.routeOptions.url;
      exchange.polled = (request.routeOptions.config as PolledRoute).polled === true;
      if (isImagesPath(request.raw.url)) isolateContent(reply.raw);
      if (options.cors !== undefined) {
        const { maxAgeSeconds } = options.cors;
        setCorsHeaders(request.raw, reply.raw, { allowedMethods: routes.methods, maxAgeSeconds });
      }
      done(headBeyondBounds(request.raw, request.params as PathParameters));
    });
    fastify.addHook('onSend', (request, _reply, payload, done) => {
      Exchange.of(request.raw).settleFraming();
      done(null, payload);
    });
    fastify.removeAllContentTypeParsers();
    // Bodies are what the route says, whatever the client calls them: engine and vdsm send JSON without a type, curl
    // sends image data as a form.
    fastify.addContentTypeParser('*', async (request: FastifyRequest) =>
      readRouteBody(request, options.bodyBytesMax),
    );
    const nest = await NestFactory.create<NestFastifyApplication>(options.module, adapter, {
      bodyParser: false,
      logger: new NestLogger(logger),
      abortOnError: false,
    });
    nest.useGlobalFilters(new ErrorFilter(routes, logger));
    return new HttpApplication(nest, routes, fastify);
  }

  /** Registers the routes. Only afterwards can the application answer. */
  async init(): Promise<void> {
    await this.nest.init();
    await this.fastify.ready();
  }

  /** Answers a request that a listener made an `Exchange` of. */
  readonly handle: FastifyInstance['routing'] = (request, response) => {
    this.fastify.routing(request, response);
  };

  /** Every method that some route has. */
  get allowedMethods(): readonly string[] {
    return this.routes.methods;
  }

  async close(): Promise<void> {
    await this.nest.close();
  }
}

async function readRouteBody(request: FastifyRequest, limitBytes: number): Promise<unknown> {
  const { body, bodyName } = request.routeOptions.config as RequestBodyKind;
  // Image data is read by the operation itself; a body that nobody asked for is dropped when the connection is settled.
  if (body === undefined) return undefined;
  refuseCodedBody(request.raw);
  const bytes = await readBody(request.raw, limitBytes);
  return body === 'json' ? parseJsonObject(bytes, bodyName ?? 'request') : bytes;
}
