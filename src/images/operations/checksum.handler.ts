import { Inject, Injectable } from '@nestjs/common';
import { InvalidRequestError } from '../../base/errors.js';
import { EarlyHead } from '../../wire/early-head.js';
import type { Exchange } from '../../wire/exchange.js';
import { MiB } from '../../base/units.js';
import type { Extent } from '../backends/backend.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import { checksumAlgorithms } from '../checksum/block-hash.js';
import { computeChecksum } from '../checksum/checksum.js';
import { clippedExtents } from './clipped-extents.js';
import { HashWorkers } from '../checksum/hash-workers.js';
import type { FairShares } from '../buffers/fair-shares.js';
import type { AskedImage, ImageHandler, QueryValues } from './image-handler.js';
import { ImageOperations, type OperationContext } from '../transfer/image-operations.js';

/** Shares among tickets how many checksums are computed at once. */
export const CHECKSUM_TURNS = Symbol('CHECKSUM_TURNS');

interface ChecksumParameters {
  readonly algorithm: string;
  readonly blockSizeBytes: number;
}

const defaultAlgorithm = 'blake2b';
const defaultBlockSizeBytes = 4 * MiB;
// Smaller blocks make more digests than they are worth, larger ones make buffers that a host
// full of VMs does not want to give.
const blockSizeBytesMin = MiB;
const blockSizeBytesMax = 16 * MiB;
const blockSizeMultipleBytes = 4096;

/**
 * GET /images/{id}/checksum: the hash of the hashes of the image's blocks (docs/protocol.md, "Checksum").
 */
@Injectable()
export class ChecksumHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly pool: BufferPool,
    private readonly workers: HashWorkers,
    /** How many are computed at once: of one image half of them, and fair between tickets. Others wait. */
    @Inject(CHECKSUM_TURNS) private readonly turns: FairShares,
  ) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const parameters = checksumParameters(query);
    const earlyHead = new EarlyHead(exchange, { 'Content-Type': 'application/json' });
    try {
      const checksum = await this.operations.run(
        exchange,
        { ticketId, access: 'read', kind: 'checksum', earlyHead },
        (context) => this.#inTurn(context, parameters),
      );
      const { algorithm, blockSizeBytes } = parameters;
      earlyHead.end(JSON.stringify({ algorithm, block_size: blockSizeBytes, checksum }));
    } finally {
      earlyHead.stop();
    }
  }

  async #inTurn(context: OperationContext, parameters: ChecksumParameters): Promise<string> {
    const { permit, lease } = context;
    await this.turns.take(permit, lease.signal);
    try {
      return await this.#compute(context, parameters);
    } finally {
      this.turns.give(permit);
    }
  }

  #compute({ permit, lease, backend }: OperationContext, parameters: ChecksumParameters): Promise<string> {
    let doneBytes = 0;
    return computeChecksum({
      ...parameters,
      backend,
      extents: oneByOne(clippedExtents(backend.extents('zero'), permit.sizeBytes)),
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

async function* oneByOne(lists: AsyncIterable<readonly Extent[]>): AsyncGenerator<Extent> {
  for await (const list of lists) yield* list;
}

/** @throws InvalidRequestError naming what is allowed */
function checksumParameters(query: QueryValues): ChecksumParameters {
  const { algorithm = defaultAlgorithm, block_size: blockSize = String(defaultBlockSizeBytes) } = query;
  if (typeof algorithm !== 'string' || !checksumAlgorithms.includes(algorithm)) {
    const available = checksumAlgorithms.map((name) => `'${name}'`).join(', ');
    throw new InvalidRequestError(`Unknown algorithm '${String(algorithm)}', available: ${available}`);
  }
  const blockSizeBytes = typeof blockSize === 'string' && /^\d{1,9}$/.test(blockSize) ? Number(blockSize) : 0;
  if (
    blockSizeBytes < blockSizeBytesMin ||
    blockSizeBytes > blockSizeBytesMax ||
    blockSizeBytes % blockSizeMultipleBytes !== 0
  ) {
    throw new InvalidRequestError(
      `Invalid block_size, expected a multiple of ${blockSizeMultipleBytes} from ${blockSizeBytesMin} to ` +
        `${blockSizeBytesMax}`,
    );
  }
  return { algorithm, blockSizeBytes };
}
