import { Injectable } from '@nestjs/common';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { Section } from '../../framework/settings.module.js';
import type { Exchange } from '../../wire/exchange.js';
import { GiB, type ByteRange } from '../../base/units.js';
import { ImageJobs, wantsJob } from '../jobs/image-jobs.js';
import {
  ImageOperations,
  type OperationContext,
  type OperationRequest,
} from '../transfer/image-operations.js';
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
    private readonly jobs: ImageJobs,
    @Section('limits') private readonly limits: Pick<LimitsConfig, 'zeroStepBytes'>,
  ) {}

  async handle(exchange: Exchange, zero: ZeroRequest): Promise<void> {
    const { ticketId, range } = zero;
    const request: OperationRequest = {
      ticketId,
      access: 'write',
      kind: 'zero',
      changes: range,
      check: ({ sizeBytes }) => {
        checkWithinTicket(range, sizeBytes);
      },
    };
    exchange.logFields['offset'] = range.offsetBytes;
    exchange.logFields['length'] = range.lengthBytes;
    if (wantsJob(exchange)) {
      await this.jobs.start(exchange, {
        request,
        total: async (context) => {
          await checkImage(context, range);
          return range.lengthBytes;
        },
        work: (context) => this.#zero(context, zero),
      });
      return;
    }
    await this.operations.run(exchange, request, async (context) => {
      await checkImage(context, range);
      await this.#zero(context, zero);
    });
    exchange.send(200);
  }

  async #zero(
    { permit, lease, backend }: OperationContext,
    { range, flush }: ZeroRequest,
  ): Promise<undefined> {
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
  }
}

/** @throws RangeNotSatisfiableError when the image cannot become large enough for `range` */
async function checkImage({ backend }: OperationContext, range: ByteRange): Promise<void> {
  if (!backend.growable) checkWithinImage(range, await backend.sizeBytes());
}
