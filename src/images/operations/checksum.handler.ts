import { Injectable } from '@nestjs/common';
import { ChecksumMismatchError, InvalidRequestError } from '../../base/errors.js';
import { EarlyHead } from '../../wire/early-head.js';
import type { Exchange } from '../../wire/exchange.js';
import { UploadComparison } from '../checksum/upload-comparison.js';
import { ImageJobs, wantsJob } from '../jobs/image-jobs.js';
import {
  ImageOperations,
  type OperationContext,
  type OperationRequest,
} from '../transfer/image-operations.js';
import { blockParameters } from './block-parameters.js';
import type { BlockHashing } from '../checksum/digest-series.js';
import type { AskedImage, ImageHandler, QueryValues } from './image-handler.js';
import { ImageChecksums, summedBytes } from './image-checksums.js';

/**
 * GET /images/{id}/checksum: the hash of the hashes of the image's blocks (docs/protocol.md, "Checksum").
 */
@Injectable()
export class ChecksumHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly jobs: ImageJobs,
    private readonly checksums: ImageChecksums,
  ) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const parameters = blockParameters(query);
    const expected = expectedChecksum(query);
    const request: OperationRequest = { ticketId, access: 'read', kind: 'checksum' };
    const work = (context: OperationContext): Promise<object> => this.#inTurn(context, parameters, expected);
    if (wantsJob(exchange)) {
      await this.jobs.start(exchange, { request, total: summedBytes, work });
      return;
    }
    const earlyHead = new EarlyHead(exchange, { 'Content-Type': 'application/json' });
    try {
      // That the checksum is another one is a status, which has to be waited for.
      const head = expected === undefined ? { earlyHead } : {};
      earlyHead.end(JSON.stringify(await this.operations.run(exchange, { ...request, ...head }, work)));
    } finally {
      earlyHead.stop();
    }
  }

  /** @throws ChecksumMismatchError when it is not what was expected */
  async #inTurn(
    context: OperationContext,
    parameters: BlockHashing,
    expected: string | undefined,
  ): Promise<object> {
    const { algorithm, blockSizeBytes } = parameters;
    const checksum = await this.checksums.inTurn(context, async () => {
      const comparison = new UploadComparison(
        expected === undefined ? [] : context.digests.uploaded(parameters),
      );
      const computed = await this.checksums.compute(context, parameters, (run) => {
        comparison.see(run);
      });
      if (expected === undefined || computed === expected) return computed;
      throw new ChecksumMismatchError(expected, computed, comparison.firstDifferenceBytes);
    });
    return { algorithm, block_size: blockSizeBytes, checksum };
  }
}

/** @throws InvalidRequestError when it is no checksum in hex */
function expectedChecksum({ expect }: QueryValues): string | undefined {
  if (expect === undefined) return undefined;
  if (typeof expect !== 'string' || !/^([0-9a-f]{2}){1,128}$/i.test(expect)) {
    throw new InvalidRequestError('Invalid expect, expected a checksum in hexadecimal');
  }
  return expect.toLowerCase();
}
