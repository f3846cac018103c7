import type { Exchange } from '../http/exchange.js';
import type { ByteRange } from '../units.js';
import type { OperationRunner } from './operation-runner.js';
import { checkWithinImage, checkWithinTicket } from './range-check.js';

export interface ZeroRequest {
  readonly ticketId: string;
  readonly range: ByteRange;
  readonly flush: boolean;
}

/** PATCH /images/{id} with op zero. */
export class ZeroHandler {
  /** @param stepBytes how much is zeroed between two looks at whether the ticket was cancelled: slow storage may take seconds for it */
  constructor(
    private readonly runner: OperationRunner,
    private readonly stepBytes: number,
  ) {}

  async handle(exchange: Exchange, { ticketId, range, flush }: ZeroRequest): Promise<void> {
    await this.runner.run(
      exchange,
      {
        ticketId,
        access: 'write',
        kind: 'zero',
        check: (ticket) => {
          checkWithinTicket(range, ticket);
        },
      },
      async ({ ticket, operation, backend }) => {
        if (!backend.growable) checkWithinImage(range, await backend.sizeBytes());
        exchange.logFields['offset'] = range.offsetBytes;
        const endBytes = range.offsetBytes + range.lengthBytes;
        for (let offsetBytes = range.offsetBytes; offsetBytes < endBytes;) {
          operation.signal.throwIfAborted();
          const step = { offsetBytes, lengthBytes: Math.min(this.stepBytes, endBytes - offsetBytes) };
          await backend.zero(step, { sparse: ticket.definition.sparse });
          operation.progress(step);
          offsetBytes += step.lengthBytes;
        }
        exchange.logFields['bytes'] = operation.doneBytes;
        if (flush) await backend.flush();
        operation.signal.throwIfAborted();
      },
    );
    exchange.send(200);
  }
}
