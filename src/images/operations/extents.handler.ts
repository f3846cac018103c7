import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../base/errors.js';
import { EarlyHead } from '../../wire/early-head.js';
import type { Exchange } from '../../wire/exchange.js';
import { wantsJsonLines } from '../../wire/list-text.js';
import { nextPageLink } from '../../wire/headers/page-link.js';
import type { ByteRange } from '../../base/units.js';
import { ExtentsList } from './extents-list.js';
import { extentsPage } from './extents-page.js';
import { extentsRequest, type ExtentsRequest } from './extents-request.js';
import type { AskedImage, ImageHandler } from './image-handler.js';
import { ImageOperations, type OperationContext } from '../transfer/image-operations.js';

/**
 * GET /images/{id}/extents: a list that is made while it is sent, because it may have 10^6 entries, or with
 * `limit` a page of it (docs/protocol.md, "Extents").
 */
@Injectable()
export class ExtentsHandler implements ImageHandler {
  constructor(private readonly operations: ImageOperations) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const request = extentsRequest(query);
    const list = new ExtentsList(request.context, wantsJsonLines(exchange));
    const body = new EarlyHead(exchange, { 'Content-Type': list.contentType });
    const isDirty = request.context === 'dirty';
    // That there are no dirty extents is an answer which clients go on with, and only the image knows it.
    const earlyHead = isDirty || request.limit !== undefined ? undefined : body;
    try {
      await this.operations.run(
        exchange,
        { ticketId, access: 'read', kind: 'extents', earlyHead },
        async (context) => {
          if (isDirty && !(context.permit.definition.dirty && context.backend.canDirtyExtents)) {
            throw new NotFoundError('Ticket has no dirty extents');
          }
          if (request.limit === undefined) await sendAll(body, list, request, context);
          else await sendPage(exchange, list, request, request.limit, context);
        },
      );
    } finally {
      body.stop();
    }
  }
}

async function sendAll(
  body: EarlyHead,
  list: ExtentsList,
  request: ExtentsRequest,
  { permit, lease, backend }: OperationContext,
): Promise<void> {
  body.start();
  const range = rangeWithin(request, permit.sizeBytes);
  if (range.lengthBytes > 0) {
    for await (const extents of backend.extents(request.context, range)) {
      lease.signal.throwIfAborted();
      list.add(extents);
      await body.write(list.take());
    }
  }
  body.end(list.end());
}

async function sendPage(
  exchange: Exchange,
  list: ExtentsList,
  request: ExtentsRequest,
  limit: number,
  { permit, backend }: OperationContext,
): Promise<void> {
  const range = rangeWithin(request, Math.min(permit.sizeBytes, await backend.sizeBytes()));
  const nextBytes = await extentsPage(backend, request.context, range, {
    limit,
    take: (extents) => {
      list.add(extents);
    },
  });
  const link = nextBytes === undefined ? {} : { Link: nextPageLink(exchange.request.url, nextBytes) };
  exchange.sendPieces(200, { 'Content-Type': list.contentType, ...link }, list.end());
}

/** What of the request there is before `sizeBytes`: nothing past the ticket is told, or asked for. */
function rangeWithin({ startBytes, endBytes }: ExtentsRequest, sizeBytes: number): ByteRange {
  return { offsetBytes: startBytes, lengthBytes: Math.max(0, Math.min(endBytes, sizeBytes) - startBytes) };
}
