import { Inject, Injectable } from '@nestjs/common';
import { EarlyHead } from '../../wire/early-head.js';
import type { Exchange } from '../../wire/exchange.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import { computeChecksum } from '../checksum/checksum.js';
import { extentsOfPart } from '../checksum/extents-of-part.js';
import { HashWorkers } from '../checksum/hash-workers.js';
import type { FairShares } from '../buffers/fair-shares.js';
import { blockParameters, type BlockParameters } from './block-parameters.js';
import type { AskedImage, ImageHandler } from './image-handler.js';
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
    const request: OperationRequest = { ticketId, access: 'read', kind: 'checksum' };
    const work = (context: OperationContext): Promise<object> => this.#inTurn(context, parameters);
    if (wantsJob(exchange)) {
      await this.jobs.start(exchange, { request, total: summedBytes, work });
      return;
    }
    const earlyHead = new EarlyHead(exchange, { 'Content-Type': 'application/json' });
    try {
      earlyHead.end(JSON.stringify(await this.operations.run(exchange, { ...request, earlyHead }, work)));
    } finally {
      earlyHead.stop();
    }
  }

  async #inTurn(context: OperationContext, parameters: BlockParameters): Promise<object> {
    const { permit, lease } = context;
    await this.turns.take(permit, lease.signal);
    try {
      const checksum = await this.#compute(context, parameters);
      return { algorithm: parameters.algorithm, block_size: parameters.blockSizeBytes, checksum };
    } finally {
      this.turns.give(permit);
    }
  }

  #compute({ permit, lease, backend }: OperationContext, parameters: BlockParameters): Promise<string> {
    let doneBytes = 0;
    return computeChecksum({
      ...parameters,
      backend,
      extents: extentsOfPart(backend.extents('zero'), { offsetBytes: 0, lengthBytes: permit.sizeBytes }),
      pool: this.pool,
      claimant: permit,
      workers: this.workers,
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
