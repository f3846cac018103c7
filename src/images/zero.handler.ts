import type { Exchange } from '../http/exchange.js';
import { GiB, type ByteRange } from '../units.js';
import type { ImageOperations } from './image-operations.js';
import { checkWithinImage, checkWithinTicket } from '../tickets/range-check.js';

export interface ZeroRequest {
  readonly ticketId: string;
  readonly range: ByteRange;
  readonly flush: boolean;
}

// Where storage deallocates, 128 MiB take microseconds and the steps themselves would cost more than the work: 800 of them made a
// 100 GiB zero ten times slower than a few large ones. So steps grow while storage is quick, and a slow one resets them.
const quickMilliseconds = 5;
const stepBytesMax = 4 * GiB;

/** PATCH /images/{id} with op zero. */
export class ZeroHandler {
  /** @param stepBytes how much slow storage zeroes between two looks at whether the ticket was cancelled: it may take seconds */
  constructor(
    private readonly operations: ImageOperations,
    private readonly stepBytes: number,
  ) {}

  async handle(exchange: Exchange, { ticketId, range, flush }: ZeroRequest): Promise<void> {
    await this.operations.run(
      exchange,
      {
        ticketId,
        access: 'write',
        kind: 'zero',
        changes: range,
        check: ({ sizeBytes }) => {
          checkWithinTicket(range, sizeBytes);
        },
      },
      async ({ permit, lease, backend }) => {
        if (!backend.growable) checkWithinImage(range, await backend.sizeBytes());
        exchange.logFields['offset'] = range.offsetBytes;
        exchange.logFields['length'] = range.lengthBytes;
        const endBytes = range.offsetBytes + range.lengthBytes;
        let stepBytes = this.stepBytes;
        for (let offsetBytes = range.offsetBytes; offsetBytes < endBytes;) {
          lease.signal.throwIfAborted();
          const step = { offsetBytes, lengthBytes: Math.min(stepBytes, endBytes - offsetBytes) };
          const startedAt = performance.now();
          await lease.change(step, (part) => backend.zero(part, { sparse: permit.definition.sparse }));
          offsetBytes += step.lengthBytes;
          stepBytes =
            performance.now() - startedAt < quickMilliseconds
              ? Math.min(stepBytes * 2, stepBytesMax)
              : this.stepBytes;
        }
        if (flush) await backend.flush();
        lease.signal.throwIfAborted();
      },
    );
    exchange.send(200);
  }
}
