import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { extensions } from '../contract/extensions.js';
import { refuseCodedBody, refuseWrappedBody } from '../wire/headers/body-coding.js';
import { hasContentDigest } from '../wire/headers/content-digest.js';
import { isPreflight } from '../wire/headers/cors.js';
import type { Exchange } from '../wire/exchange.js';
import type { Lease, ProgressListener } from '../base/lease.js';
import type { OperationKind } from '../contract/operation-kind.js';
import { OperationRunner } from '../tickets/operation-runner.js';
import { bodyBeyondTicket, checkWithinTicket } from '../tickets/range-check.js';
import {
  DAEMON_FAILURE_OBSERVER,
  daemonFailureKind,
  isUntrusted,
  type DaemonFailureObserver,
} from '../daemons/daemon-failure.js';
import { imageRequest, type ImageRequest } from './access/image-request.js';
import { relayedEarlyHead } from './bodies/relayed-early-head.js';
import { RelayAccess } from './access/relay-access.js';
import { relayedMethods, type RelayedRoute } from './access/relayed-routes.js';
import type { RelayPermit } from './access/relay-permit.js';
import { RelayProxy, type RelayObserver, type RelayOptions } from './relay.proxy.js';
import { relaysBody } from './upstream/relayed-request.js';
import { smallBodyBytesMax } from '../daemons/small-body.js';
import { checkRequestWithin } from './access/ticket-bounds.js';
import { transferProgress } from './bodies/transfer-progress.js';

/** What the images of other hosts are called where images of this host are called by their storage. */
const backend = 'http';

/** The parameters of a path. */
export interface AskedRelay {
  /** Decoded. */
  readonly ticketId: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Answers requests for images from the daemons that have them. */
@Injectable()
export class RelayedImages {
  constructor(
    private readonly access: RelayAccess,
    private readonly proxy: RelayProxy,
    private readonly runner: OperationRunner,
    @Optional() @Inject(DAEMON_FAILURE_OBSERVER) private readonly daemonFailures?: DaemonFailureObserver,
  ) {}

  /**
   * Answers the request, or throws what is to be answered.
   * @param asked what the path says beside the route
   */
  async answer(exchange: Exchange, asked: AskedRelay, route: RelayedRoute): Promise<void> {
    const { request, response } = exchange;
    // Of images, and of refusals that name them, nobody may keep a copy.
    response.setHeader('Cache-Control', 'no-cache, no-store');
    if (isPreflight(request)) exchange.send(200, { Allow: relayedMethods.join(',') });
    else if (isAboutService(request, asked.ticketId, route)) sendServiceCapabilities(exchange);
    else await this.#relay(exchange, asked, route);
  }

  async #relay(exchange: Exchange, { ticketId, parameters }: AskedRelay, route: RelayedRoute): Promise<void> {
    const { request, response, logFields } = exchange;
    if (route.path === '') refuseUnusableBody(request);
    const wanted = imageRequest(request, ticketId, route, parameters);
    const permit = await this.access.permit(wanted, {
      authorization: request.headers.authorization,
      sessionId: [request.headers['session-id']].flat()[0],
      address: request.socket.remoteAddress,
    });
    this.runner.admit(exchange, permit);
    logFields['daemon'] = permit.image.origin.host;
    if (permit.sessionId !== undefined) response.setHeader('Session-Id', permit.sessionId);
    logFields['backend'] = backend;
    if (wanted.kind === 'events') await this.#follow(exchange, wanted, permit);
    else await this.#transfer(exchange, wanted, permit);
  }

  /** Following a transfer is no operation of it. */
  async #follow(exchange: Exchange, wanted: ImageRequest, permit: RelayPermit): Promise<void> {
    exchange.logFields['operation'] = wanted.kind;
    exchange.polled = true;
    const lease = permit.begin(exchange, wanted.kind, () => undefined);
    try {
      await this.#ask(exchange, wanted, permit, { closes: wanted.closes });
    } catch (error: unknown) {
      // What fails after it was stopped is a consequence of that.
      throw exchange.signal.aborted ? exchange.signal.reason : error;
    } finally {
      lease.end();
    }
  }

  async #transfer(exchange: Exchange, wanted: ImageRequest, permit: RelayPermit): Promise<void> {
    const { kind, subResource } = wanted;
    const { sizeBytes } = permit;
    const begin = (onProgress: ProgressListener): Lease => {
      if (sizeBytes !== undefined) checkRequestWithin(exchange.request, wanted, sizeBytes);
      return permit.begin(exchange, kind, onProgress);
    };
    await this.runner.run(exchange, { kind, begin }, async ({ lease, backendTime, located }) => {
      located(backend);
      await this.#ask(exchange, wanted, permit, {
        observer: provenProgress(exchange, kind, lease, sizeBytes),
        ticket: hasLongBody(exchange.request, kind) ? ticketOf(permit) : undefined,
        daemonTime: backendTime,
        extentsEndBytes: kind === 'extents' ? (sizeBytes ?? Infinity) : undefined,
        isLongWork: wanted.isLongWork,
        earlyHead: relayedEarlyHead(exchange, wanted),
        isCapabilities: kind === 'options' && subResource === '',
        closes: wanted.closes,
      });
    });
  }

  async #ask(
    exchange: Exchange,
    { ticketId, subResource, query }: ImageRequest,
    { image: { origin, path } }: RelayPermit,
    options: Omit<RelayOptions, 'imagePath'>,
  ): Promise<void> {
    try {
      await this.proxy.relay(
        exchange,
        { origin, path: `${path}${subResource}${query}` },
        { ...options, imagePath: `/images/${encodeURIComponent(ticketId)}` },
      );
    } catch (error: unknown) {
      const failure = daemonFailureKind(error);
      if (isUntrusted(error)) exchange.logFields['verified_with'] = this.proxy.authoritiesSource;
      if (failure !== undefined) this.daemonFailures?.daemonFailed(failure);
      throw error;
    }
  }
}

/** Counts as the daemon does: of a body that it verifies nothing before it has said that it is right. */
function provenProgress(
  exchange: Exchange,
  kind: OperationKind,
  lease: Lease,
  sizeBytes: number | undefined,
): RelayObserver | undefined {
  const observer = boundedProgress(exchange, kind, lease, sizeBytes);
  if (kind !== 'write' || observer === undefined || !hasContentDigest(exchange.request)) return observer;
  lease.holdBack();
  return {
    sent: (chunk) => {
      observer.sent(chunk);
    },
    received: (lengthBytes) => {
      observer.received(lengthBytes);
    },
    answered: (response) => {
      observer.answered(response);
      const { statusCode = 0 } = response;
      if (statusCode >= 200 && statusCode <= 299) lease.confirm();
    },
  };
}

/**
 * Counts what passes through, and stops it where it goes beyond the permit: some bodies
 * say only so where they end.
 */
function boundedProgress(
  exchange: Exchange,
  kind: OperationKind,
  lease: Lease,
  sizeBytes = Infinity,
): RelayObserver | undefined {
  const { request } = exchange;
  return transferProgress(
    kind,
    request,
    (range) => {
      const isWithin = range.offsetBytes + range.lengthBytes <= sizeBytes;
      if (isWithin || request.method !== 'PUT') lease.progressed(range);
      else exchange.abort(bodyBeyondTicket());
    },
    (range) => {
      checkWithinTicket(range, sizeBytes);
    },
  );
}

/** What a daemon of ours would refuse, and others would write to the image as it is. */
function refuseUnusableBody(request: IncomingMessage): void {
  if (request.method === 'PUT') refuseWrappedBody(request);
  if (request.method === 'PATCH') refuseCodedBody(request);
}

/** The request or its answer may have a body that is not short: data, a list of extents, or an upload. */
function hasLongBody(request: IncomingMessage, kind: OperationKind): boolean {
  if (request.method === 'GET') return kind === 'extents' || (kind === 'read' && !asksForLittle(request));
  // A chunked body says its length by its end.
  const { 'content-length': contentLength = Infinity } = request.headers;
  return relaysBody(request) && Number(contentLength) > smallBodyBytesMax;
}

/**
 * The request names a range that is as short as other short bodies, such as a block of a random read. What
 * a daemon sends beyond it passes without a buffer all the same, only slower.
 */
function asksForLittle({ headers: { range = '' } }: IncomingMessage): boolean {
  const [, first, last] = firstToLast.exec(range) ?? [];
  return last !== undefined && Number(last) - Number(first) < smallBodyBytesMax;
}

const firstToLast = /^bytes=(\d{1,15})-(\d{1,15})$/;

/**
 * What a daemon knows the ticket by: all sessions of a transfer, and all requests of its clients, share it.
 */
function ticketOf({ image: { origin, path } }: RelayPermit): string {
  return `${origin.host}${path}`;
}

/** The id `*` stands for the service itself, and needs no ticket (docs/protocol.md, "Capabilities"). */
function isAboutService({ method }: IncomingMessage, ticketId: string, { path }: RelayedRoute): boolean {
  return method === 'OPTIONS' && ticketId === '*' && path === '';
}

function sendServiceCapabilities(exchange: Exchange): void {
  const body = JSON.stringify({ features: ['checksum', 'extents', 'flush', 'zero'], extensions });
  exchange.send(200, { 'Content-Type': 'application/json', Allow: 'OPTIONS,GET,PUT,PATCH' }, body);
}
