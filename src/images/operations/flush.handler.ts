import { Injectable } from '@nestjs/common';
import type { Exchange } from '../../wire/exchange.js';
import { ImageOperations } from '../transfer/image-operations.js';

/** PATCH /images/{id} with op flush: answers when everything written is on stable storage. */
@Injectable()
export class FlushHandler {
  constructor(private readonly operations: ImageOperations) {}

  async handle(exchange: Exchange, ticketId: string): Promise<void> {
    await this.operations.run(
      exchange,
      { ticketId, access: 'write', kind: 'flush' },
      async ({ lease, backend }) => {
        await lease.flush(() => backend.flush());
        lease.signal.throwIfAborted();
      },
    );
    exchange.send(200);
  }
}
