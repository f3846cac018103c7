import { Injectable } from '@nestjs/common';
import { InvalidRequestError, NotFoundError } from '../../base/errors.js';
import { EarlyHead } from '../../wire/early-head.js';
import type { Exchange } from '../../wire/exchange.js';
import type { Extent, ExtentContext } from '../backends/backend.js';
import { clippedExtents } from './clipped-extents.js';
import type { AskedImage, ImageHandler, QueryValues } from './image-handler.js';
import { ImageOperations } from '../transfer/image-operations.js';

/** GET /images/{id}/extents: a JSON list, made while it is sent, because it may have 10^5 entries. */
@Injectable()
export class ExtentsHandler implements ImageHandler {
  constructor(private readonly operations: ImageOperations) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const context = extentContext(query);
    const body = new EarlyHead(exchange, { 'Content-Type': 'application/json' });
    // That there are no dirty extents is an answer which clients go on with, and only the image knows it.
    const earlyHead = context === 'dirty' ? undefined : body;
    try {
      await this.operations.run(
        exchange,
        { ticketId, access: 'read', kind: 'extents', earlyHead },
        async ({ permit, lease, backend }) => {
          if (context === 'dirty' && !(permit.definition.dirty && backend.canDirtyExtents)) {
            throw new NotFoundError('Ticket has no dirty extents');
          }
          body.start();
          let separator = '[';
          for await (const list of clippedExtents(backend.extents(context), permit.sizeBytes)) {
            lease.signal.throwIfAborted();
            let text = '';
            for (const extent of list) {
              text += separator + JSON.stringify(wireExtent(extent, context));
              separator = ', ';
            }
            await body.write(text);
          }
          body.end(separator === '[' ? '[]' : ']');
        },
      );
    } finally {
      body.stop();
    }
  }
}

function extentContext({ context = 'zero' }: QueryValues): ExtentContext {
  if (context === 'zero' || context === 'dirty') return context;
  throw new InvalidRequestError('Invalid context, expected zero or dirty');
}

function wireExtent({ start, length, zero, hole, dirty }: Extent, context: ExtentContext): object {
  return context === 'dirty' ? { start, length, dirty: dirty ?? false, zero } : { start, length, zero, hole };
}
