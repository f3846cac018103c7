import { Injectable } from '@nestjs/common';
import type { Exchange } from '../../wire/exchange.js';
import { ImageJobs, wantsJob } from '../jobs/image-jobs.js';
import {
  ImageOperations,
  type OperationContext,
  type OperationRequest,
} from '../transfer/image-operations.js';

/** PATCH /images/{id} with op flush: answers when everything written is on stable storage. */
@Injectable()
export class FlushHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly jobs: ImageJobs,
  ) {}

  async handle(exchange: Exchange, ticketId: string): Promise<void> {
    const request: OperationRequest = { ticketId, access: 'write', kind: 'flush' };
    if (wantsJob(exchange)) {
      // Storage does not tell how far it is.
      await this.jobs.start(exchange, { request, total: async () => 0, work: flush });
      return;
    }
    await this.operations.run(exchange, request, flush);
    exchange.send(200);
  }
}

async function flush({ lease, backend }: OperationContext): Promise<undefined> {
  await lease.flush(() => backend.flush());
  lease.signal.throwIfAborted();
}
