import { Inject, Injectable } from '@nestjs/common';
import type { ByteRange } from '../../base/units.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import type { FairShares } from '../buffers/fair-shares.js';
import type { BlockDigestsOptions, DigestRun } from '../checksum/block-digests.js';
import { computeChecksum } from '../checksum/checksum.js';
import { extentsOfPart } from '../checksum/extents-of-part.js';
import { HashWorkers } from '../checksum/hash-workers.js';
import type { OperationContext } from '../transfer/image-operations.js';
import type { BlockHashing } from '../checksum/digest-series.js';

/** Shares among tickets how many checksums are computed at once. */
export const CHECKSUM_TURNS = Symbol('CHECKSUM_TURNS');

/** Computes the checksum of what an operation has of its image (docs/protocol.md, "Checksum"). */
@Injectable()
export class ImageChecksums {
  constructor(
    private readonly pool: BufferPool,
    private readonly workers: HashWorkers,
    /** How many are computed at once: of one image half of them, and fair between tickets. Others wait. */
    @Inject(CHECKSUM_TURNS) private readonly turns: FairShares,
  ) {}

  /** Waits until it is the turn of the ticket to have `work` compute one. */
  inTurn<T>({ permit, lease }: OperationContext, work: () => Promise<T>): Promise<T> {
    return this.turns.during(permit, lease.signal, work);
  }

  /**
   * What has to be known to hash the blocks of a part of the image.
   * @param range begins with a block
   */
  blocks(
    { permit, lease, backend, digests }: OperationContext,
    hashing: BlockHashing,
    range: ByteRange,
  ): BlockDigestsOptions {
    const { pool, workers } = this;
    const extents = extentsOfPart(backend.extents('zero', range), range);
    const { signal } = lease;
    return { ...hashing, backend, extents, pool, claimant: permit, workers, digests, signal };
  }

  /**
   * @param onRun told of all blocks in the order of the image
   * @returns in hex
   */
  compute(
    context: OperationContext,
    hashing: BlockHashing,
    onRun: (run: DigestRun) => void,
  ): Promise<string> {
    const { permit, lease } = context;
    return computeChecksum({
      ...this.blocks(context, hashing, { offsetBytes: 0, lengthBytes: permit.sizeBytes }),
      onRun: (run) => {
        onRun(run);
        lease.progressed({ offsetBytes: run.offsetBytes, lengthBytes: run.blockBytes * run.count });
      },
    });
  }
}

/** How many bytes a checksum covers. */
export async function summedBytes({ permit, backend }: OperationContext): Promise<number> {
  return Math.min(permit.sizeBytes, await backend.sizeBytes());
}
