import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BusyTime } from '../busy-time.js';
import { refuseCodedBody, refuseWrappedBody } from '../http/body-coding.js';
import { isPreflight } from '../http/cors.js';
import type { Exchange } from '../http/exchange.js';
import { hijack } from '../http/hijack.js';
import type { Logger } from '../logger.js';
import type { ByteRange } from '../units.js';
import type { OperationKind } from '../tickets/operation.js';
import type { TransferObserver } from '../tickets/transfer-observer.js';
import { daemonFailureKind, isUntrusted, type DaemonFailureObserver } from './daemon-failure.js';
import { imageRequest, type ImageRequest, type SubResource } from './image-request.js';
import type { RelayAccess } from './relay-access.js';
import type { RelayPermit } from './relay-permit.js';
import type { RelayProxy } from './relay.proxy.js';
import { transferProgress } from './transfer-progress.js';

export const allowedMethods = 'OPTIONS,GET,HEAD,PUT,PATCH,POST';

/** What the images of other hosts are called where images of this host are called by their storage. */
const backend = 'http';

/** What a daemon answers only when all of it is done. A PATCH may also be a flush. */
const longWork: ReadonlySet<OperationKind> = new Set(['write', 'zero', 'flush', 'extents', 'checksum']);

/** Who wants to know what is relayed. */
export interface RelayObservers {
  readonly transfers?: TransferObserver | undefined;
  readonly daemonFailures?: DaemonFailureObserver | undefined;
}

/** Answers requests for images from the daemons that have them. */
export class RelayedImages {
  constructor(
    private readonly access: RelayAccess,
    private readonly proxy: RelayProxy,
    private readonly logger: Logger,
    private readonly observers: RelayObservers = {},
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
    if (subResource === '') refuseUnusableBody(request);
    const wanted = imageRequest(request, ticketId, subResource);
    const permit = await this.access.permit(wanted, {
      authorization: request.headers.authorization,
      sessionId: [request.headers['session-id']].flat()[0],
      address: request.socket.remoteAddress,
    });
    connection.authorized(permit.inactivityTimeoutSeconds);
    logFields['operation'] = wanted.kind;
    logFields['daemon'] = permit.image.origin.host;
    logFields['transfer_id'] = permit.transferId;
    if (permit.sessionId !== undefined) response.setHeader('Session-Id', permit.sessionId);
    logFields['backend'] = backend;
    await this.#transfer(exchange, wanted, permit);
  }

  async #transfer(exchange: Exchange, wanted: ImageRequest, permit: RelayPermit): Promise<void> {
    const { kind, subResource } = wanted;
    const running = permit.begin(exchange, wanted);
    const startedAt = performance.now();
    const daemonTime = new BusyTime();
    const observed = this.observers.transfers?.begin(kind, exchange.listener);
    observed?.located(backend);
    let doneBytes = 0;
    const onProgress = (range: ByteRange): void => {
      doneBytes += range.lengthBytes;
      running.progressed(range);
      observed?.progressed(range.lengthBytes);
    };
    const progress = transferProgress(kind, exchange.request, onProgress, running.checkAnswer);
    try {
      await this.proxy.relay(
        exchange,
        { origin: permit.image.origin, path: `${permit.image.path}${subResource}${wanted.query}` },
        {
          ...(progress === undefined ? {} : { observer: progress }),
          daemonTime,
          extentsEndBytes: kind === 'extents' ? permit.sizeBytes : undefined,
          isLongWork: longWork.has(kind),
          isCapabilities: kind === 'options' && subResource === '',
          closes: wanted.closes,
        },
      );
    } catch (error: unknown) {
      const failure = daemonFailureKind(error);
      if (isUntrusted(error)) exchange.logFields['verified_with'] = this.proxy.authoritiesSource;
      if (failure !== undefined) this.observers.daemonFailures?.daemonFailed(failure);
      throw error;
    } finally {
      running.end();
      exchange.logFields['bytes'] = doneBytes;
      exchange.logFields['backend_milliseconds'] = Math.round(daemonTime.seconds * 1000);
      observed?.ended({
        totalSeconds: (performance.now() - startedAt) / 1000,
        backendSeconds: daemonTime.seconds,
        clientSeconds: exchange.clientSeconds,
      });
    }
  }
}

/** What a daemon of ours would refuse, and others would write to the image as it is. */
function refuseUnusableBody(request: IncomingMessage): void {
  if (request.method === 'PUT') refuseWrappedBody(request);
  if (request.method === 'PATCH') refuseCodedBody(request);
}

/** The id `*` stands for the service itself, and needs no ticket (docs/protocol.md, "Capabilities"). */
function isAboutService({ method }: FastifyRequest, ticketId: string, subResource: SubResource): boolean {
  return method === 'OPTIONS' && ticketId === '*' && subResource === '';
}

function sendServiceCapabilities(exchange: Exchange): void {
  const body = JSON.stringify({ features: ['checksum', 'extents', 'flush', 'zero'] });
  exchange.send(200, { 'Content-Type': 'application/json', Allow: 'OPTIONS,GET,PUT,PATCH' }, body);
}
