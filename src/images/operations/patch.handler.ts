import { Injectable } from '@nestjs/common';
import { imageOperationBytesMax } from '../../contract/schemas.js';
import { InvalidRequestError } from '../../base/errors.js';
import { refuseCodedBody } from '../../wire/headers/body-coding.js';
import type { Exchange } from '../../wire/exchange.js';
import { parseJsonObject, readBody } from '../../wire/json-body.js';
import { toDto } from '../../framework/validation.js';
import { FlushHandler } from './flush.handler.js';
import { ImagePatchDto } from './image-patch.dto.js';
import type { AskedImage, ImageHandler } from './image-handler.js';
import { ImageOperations } from '../transfer/image-operations.js';
import { ZeroHandler } from './zero.handler.js';

const what = 'image operation';

/**
 * PATCH /images/{id}: its body says which operation is wanted. The body is read only when the ticket was
 * found, so that whoever has none cannot make the service parse anything.
 */
@Injectable()
export class PatchHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly zeroHandler: ZeroHandler,
    private readonly flushHandler: FlushHandler,
  ) {}

  async handle(exchange: Exchange, { ticketId }: AskedImage): Promise<void> {
    refuseCodedBody(exchange.request);
    await this.operations.authorize(exchange, { ticketId, access: 'write' });
    const body = await readBody(exchange.request, imageOperationBytesMax);
    const patch = toDto(ImagePatchDto, parseJsonObject(body, what), what);
    if (patch.op === 'flush') {
      await this.flushHandler.handle(exchange, ticketId);
      return;
    }
    const { size, offset = 0, flush = false } = patch;
    if (size === undefined) throw new InvalidRequestError(`Invalid ${what}: size is required for zero`);
    await this.zeroHandler.handle(exchange, {
      ticketId,
      range: { offsetBytes: offset, lengthBytes: size },
      flush,
    });
  }
}
