import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../base/clock.js';
import { ConflictError } from '../../base/errors.js';
import { EarlyHead } from '../../wire/early-head.js';
import type { Exchange } from '../../wire/exchange.js';
import type { Observation } from '../checksum/observation.js';
import { ImageJobs, wantsJob } from '../jobs/image-jobs.js';
import { receiptClaims } from '../receipt/receipt-claims.js';
import { ReceiptSigner } from '../receipt/receipt-signer.js';
import {
  ImageOperations,
  type OperationContext,
  type OperationRequest,
} from '../transfer/image-operations.js';
import { blockParameters } from './block-parameters.js';
import type { BlockHashing } from '../checksum/digest-series.js';
import { ImageChecksums, summedBytes } from './image-checksums.js';
import type { AskedImage, ImageHandler } from './image-handler.js';

/**
 * GET /images/{id}/receipt: what the image is and which bytes of it the ticket has brought there for good,
 * signed (docs/protocol.md, "Receipts").
 */
@Injectable()
export class ReceiptHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly jobs: ImageJobs,
    private readonly checksums: ImageChecksums,
    private readonly signer: ReceiptSigner,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const parameters = blockParameters(query);
    const request: OperationRequest = {
      ticketId,
      access: 'read',
      kind: 'checksum',
      check: () => {
        this.signer.requireKey();
      },
    };
    const work = (context: OperationContext): Promise<object> =>
      this.checksums.inTurn(context, () => this.#receipt(context, parameters));
    if (wantsJob(exchange)) {
      await this.jobs.start(exchange, { request, kind: 'receipt', total: summedBytes, work });
      return;
    }
    const earlyHead = new EarlyHead(exchange, { 'Content-Type': 'application/jose+json' });
    try {
      earlyHead.end(JSON.stringify(await this.operations.run(exchange, { ...request, earlyHead }, work)));
    } finally {
      earlyHead.stop();
    }
  }

  /** @throws ConflictError when the image is changed meanwhile, as then there was no time when it was so */
  async #receipt(context: OperationContext, parameters: BlockHashing): Promise<object> {
    const { permit, digests } = context;
    const observation = digests.observe({ offsetBytes: 0, lengthBytes: permit.sizeBytes });
    try {
      requireUnchanged(context, observation);
      let sizeBytes = 0;
      const checksum = await this.checksums.compute(context, parameters, ({ blockBytes, count }) => {
        requireUnchanged(context, observation);
        sizeBytes += blockBytes * count;
      });
      requireUnchanged(context, observation);
      const { transferId, received } = permit;
      const unixSeconds = this.clock.unixSeconds();
      return await this.signer.sign(
        receiptClaims({ ...parameters, unixSeconds, transferId, sizeBytes, checksum, received }),
      );
    } finally {
      observation.end();
    }
  }
}

function requireUnchanged({ digests }: OperationContext, observation: Observation): void {
  if (digests.holds(observation)) return;
  throw new ConflictError(
    'The image was changed while its receipt was made, ask again when nobody changes it',
  );
}
