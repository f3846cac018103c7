import { Inject, Injectable } from '@nestjs/common';
import { ChecksumMismatchError, InvalidRequestError } from '../../base/errors.js';
import { EarlyHead } from '../../wire/early-head.js';
import type { Exchange } from '../../wire/exchange.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import { computeChecksum } from '../checksum/checksum.js';
import { extentsOfPart } from '../checksum/extents-of-part.js';
import { HashWorkers } from '../checksum/hash-workers.js';
import type { FairShares } from '../buffers/fair-shares.js';
import { blockParameters, type BlockParameters } from './block-parameters.js';
import type { AskedImage, ImageHandler, QueryValues } from './image-handler.js';
import { ImageJobs, wantsJob } from '../jobs/image-jobs.js';
import {
  ImageOperations,
  type OperationContext,
  type OperationRequest,
} from '../transfer/image-operations.js';

/** Shares among tickets how many checksums are computed at once. */
export const CHECKSUM_TURNS = Symbol('CHECKSUM_TURNS');

/**
 * GET /images/{id}/checksum: the hash of the hashes of the image's blocks (docs/protocol.md, "Checksum").
 */
@Injectable()
export class ChecksumHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly jobs: ImageJobs,
    private readonly pool: BufferPool,
    private readonly workers: HashWorkers,
    /** How many are computed at once: of one image half of them, and fair between tickets. Others wait. */
    @Inject(CHECKSUM_TURNS) private readonly turns: FairShares,
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
    parameters: BlockParameters,
    expected: string | undefined,
  ): Promise<object> {
    const { permit, lease } = context;
    const checksum = await this.turns.during(permit, lease.signal, () => this.#compute(context, parameters));
    if (expected !== undefined && checksum !== expected) {
      throw new ChecksumMismatchError(expected, checksum);
    }
    return { algorithm: parameters.algorithm, block_size: parameters.blockSizeBytes, checksum };
  }

  #compute(
    { permit, lease, backend, digests }: OperationContext,
    parameters: BlockParameters,
  ): Promise<string> {
    let doneBytes = 0;
    return computeChecksum({
      ...parameters,
      backend,
      extents: extentsOfPart(backend.extents('zero'), { offsetBytes: 0, lengthBytes: permit.sizeBytes }),
      pool: this.pool,
      claimant: permit,
      workers: this.workers,
      digests,
      signal: lease.signal,
      onProgress: (lengthBytes) => {
        lease.progressed({ offsetBytes: doneBytes, lengthBytes });
        doneBytes += lengthBytes;
      },
    });
  }
}

async function summedBytes({ permit, backend }: OperationContext): Promise<number> {
  return Math.min(permit.sizeBytes, await backend.sizeBytes());
}

/** @throws InvalidRequestError when it is no checksum in hex */
function expectedChecksum({ expect }: QueryValues): string | undefined {
  if (expect === undefined) return undefined;
  if (typeof expect !== 'string' || !/^([0-9a-f]{2}){1,128}$/i.test(expect)) {
    throw new InvalidRequestError('Invalid expect, expected a checksum in hexadecimal');
  }
  return expect.toLowerCase();
}
