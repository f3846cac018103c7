import { Injectable } from '@nestjs/common';
import { InvalidRequestError, NotFoundError } from '../../base/errors.js';
import type { Exchange } from '../../wire/exchange.js';
import { KiB } from '../../base/units.js';
import type { Extent, ExtentContext } from '../backends/backend.js';
import { clippedExtents } from './clipped-extents.js';
import { DataSender } from '../transfer/data-sender.js';
import type { AskedImage, ImageHandler, QueryValues } from './image-handler.js';
import { ImageOperations } from '../transfer/image-operations.js';

// A list of this length is answered whole, with its length; longer ones are streamed in such pieces.
const pieceCharacters = 64 * KiB;

/** GET /images/{id}/extents: a JSON list, made while it is sent, because it may have 10^5 entries. */
@Injectable()
export class ExtentsHandler implements ImageHandler {
  constructor(private readonly operations: ImageOperations) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const context = extentContext(query);
    await this.operations.run(
      exchange,
      { ticketId, access: 'read', kind: 'extents' },
      async ({ permit, lease, backend }) => {
        if (context === 'dirty' && !(permit.definition.dirty && backend.canDirtyExtents)) {
          throw new NotFoundError('Ticket has no dirty extents');
        }
        exchange.settleFraming();
        const { response } = exchange;
        const sender = new DataSender(exchange, { signal: lease.signal, company: 'few' });
        try {
          let piece = '[';
          let separator = '';
          for await (const list of clippedExtents(backend.extents(context), permit.sizeBytes)) {
            lease.signal.throwIfAborted();
            for (const extent of list) {
              piece += separator + JSON.stringify(wireExtent(extent, context));
              separator = ', ';
            }
            if (piece.length < pieceCharacters) continue;
            if (!response.headersSent) response.writeHead(200, jsonType);
            await sender.send(Buffer.from(piece), false);
            piece = '';
          }
          piece += ']';
          if (response.headersSent) await sender.send(Buffer.from(piece), true);
          else exchange.send(200, jsonType, piece);
        } finally {
          // Its pieces are made anew each time, so nobody need wait until the last one is out.
          void sender.finish();
        }
      },
    );
  }
}

function extentContext({ context = 'zero' }: QueryValues): ExtentContext {
  if (context === 'zero' || context === 'dirty') return context;
  throw new InvalidRequestError('Invalid context, expected zero or dirty');
}

const jsonType = { 'Content-Type': 'application/json' };

function wireExtent({ start, length, zero, hole, dirty }: Extent, context: ExtentContext): object {
  return context === 'dirty' ? { start, length, dirty: dirty ?? false, zero } : { start, length, zero, hole };
}
