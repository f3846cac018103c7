import { Injectable } from '@nestjs/common';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { Section } from '../../framework/settings.module.js';
import type { Exchange } from '../../wire/exchange.js';
import { GiB, type ByteRange } from '../../base/units.js';
import { ImageOperations } from '../transfer/image-operations.js';
import { checkWithinImage, checkWithinTicket } from '../../tickets/range-check.js';

export interface ZeroRequest {
  readonly ticketId: string;
  readonly range: ByteRange;
  readonly flush: boolean;
}

// Where storage deallocates, 128 MiB take microseconds and the steps themselves would cost more than the
// work: 800 of them made a 100 GiB zero ten times slower than a few large ones. So steps grow while storage
// is quick, and a slow one resets them.
const quickMilliseconds = 5;
const stepBytesMax = 4 * GiB;

/** PATCH /images/{id} with op zero. */
@Injectable()
export class ZeroHandler {
  constructor(
    private readonly operations: ImageOperations,
    @Section('limits') private readonly limits: Pick<LimitsConfig, 'zeroStepBytes'>,
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
        // Storage may take seconds for so much; between two steps it is seen that the ticket was cancelled.
        let stepBytes = this.limits.zeroStepBytes;
        for (let offsetBytes = range.offsetBytes; offsetBytes < endBytes;) {
          lease.signal.throwIfAborted();
          const step = { offsetBytes, lengthBytes: Math.min(stepBytes, endBytes - offsetBytes) };
          const startedAt = performance.now();
          await lease.change(step, (part) => backend.zero(part, { sparse: permit.definition.sparse }), {
            zero: true,
          });
          offsetBytes += step.lengthBytes;
          stepBytes =
            performance.now() - startedAt < quickMilliseconds
              ? Math.min(stepBytes * 2, stepBytesMax)
              : this.limits.zeroStepBytes;
        }
        if (flush) await lease.flush(() => backend.flush());
        lease.signal.throwIfAborted();
      },
    );
    exchange.send(200);
  }
}
