import { Injectable } from '@nestjs/common';
import { rangesRequest, wireRanges } from '../../tickets/ranges-answer.js';
import type { Exchange } from '../../wire/exchange.js';
import { ImageOperations } from '../transfer/image-operations.js';
import type { AskedImage, ImageHandler } from './image-handler.js';

/**
 * GET /images/{id}/ranges: which bytes of an upload need not be sent again (docs/protocol.md, "Received
 * ranges"). The ticket knows it, so no image is opened, and asking does not prolong the ticket.
 */
@Injectable()
export class RangesHandler implements ImageHandler {
  constructor(private readonly operations: ImageOperations) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const request = rangesRequest(query);
    const { received, sizeBytes } = await this.operations.authorize(exchange, { ticketId, access: 'write' });
    exchange.logFields['operation'] = 'ranges';
    const body = JSON.stringify(wireRanges(received.page(request), sizeBytes));
    exchange.send(200, { 'Content-Type': 'application/json' }, body);
  }
}
