import { Inject, Injectable } from '@nestjs/common';
import { InvalidRequestError } from '../../base/errors.js';
import { settledWithin } from '../../base/settled-within.js';
import type { ByteRange } from '../../base/units.js';
import { checkWithinImage, checkWithinTicket } from '../../tickets/range-check.js';
import { EarlyHead } from '../../wire/early-head.js';
import type { Exchange } from '../../wire/exchange.js';
import { wholeNumber } from '../../wire/headers/query-number.js';
import { wantsJsonLines } from '../../wire/list-text.js';
import type { FairShares } from '../buffers/fair-shares.js';
import { blockDigests } from '../checksum/block-digests.js';
import type { DigestTable } from '../checksum/digest-table.js';
import { ImageJobs, wantsJob } from '../jobs/image-jobs.js';
import { JobDigests } from '../jobs/job-digests.js';
import {
  ImageOperations,
  type OperationContext,
  type OperationRequest,
} from '../transfer/image-operations.js';
import { createBlockHash } from '../checksum/block-hash.js';
import { blockParameters } from './block-parameters.js';
import type { BlockHashing } from '../checksum/digest-series.js';
import { CHECKSUM_TURNS, ImageChecksums } from './image-checksums.js';
import { DigestList, digestsPerTurn } from './digest-list.js';
import type { AskedImage, ImageHandler, QueryValues } from './image-handler.js';

interface DigestsRequest extends BlockHashing {
  readonly startBytes: number;
  /** Undefined for all that follows. */
  readonly lengthBytes: number | undefined;
}

/** As `digestsPerTurn`, of blocks whose digests are kept, which is a copy of some bytes each. */
const keptPerTurn = 16_384;

/** A client that takes longer to read keeps nobody from computing. */
const unreadSecondsMax = 1;

/**
 * GET /images/{id}/digests: the digest of each block, told as soon as it is known (docs/protocol.md,
 * "Digests of blocks"). Each ends up in the checksum of the same algorithm and block size.
 */
@Injectable()
export class DigestsHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly checksums: ImageChecksums,
    private readonly jobs: ImageJobs,
    private readonly jobDigests: JobDigests,
    @Inject(CHECKSUM_TURNS) private readonly turns: FairShares,
  ) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const request = digestsRequest(query);
    const operation: OperationRequest = {
      ticketId,
      access: 'read',
      kind: 'checksum',
      check: ({ sizeBytes }) => {
        checkWithinTicket(askedRange(request), sizeBytes);
      },
    };
    if (wantsJob(exchange)) {
      await this.#begin(exchange, operation, request);
      return;
    }
    const list = new DigestList(wantsJsonLines(exchange));
    const body = new EarlyHead(exchange, { 'Content-Type': list.contentType });
    try {
      await this.operations.run(exchange, operation, async (context) => {
        const range = await existingRange(request, context);
        exchange.logFields['offset'] = range.offsetBytes;
        exchange.logFields['length'] = range.lengthBytes;
        body.start();
        await this.#sendAll(body, list, context, request, range);
      });
    } finally {
      body.stop();
    }
  }

  /** Computes them as a job, which keeps them to be asked for. */
  async #begin(exchange: Exchange, operation: OperationRequest, request: DigestsRequest): Promise<void> {
    const { algorithm, blockSizeBytes } = request;
    const digestBytes = (await createBlockHash(algorithm)).digest().length;
    const begun = Promise.withResolvers<{ readonly range: ByteRange; readonly table: DigestTable }>();
    await this.jobs.start(exchange, {
      request: operation,
      kind: 'digests',
      total: async (context, job) => {
        const range = await existingRange(request, context);
        const layout = { range, blockSizeBytes, digestBytes };
        begun.resolve({ range, table: this.jobDigests.begin(job, operation.ticketId, layout) });
        return range.lengthBytes;
      },
      work: async (context) => {
        const { range, table } = await begun.promise;
        await this.checksums.inTurn(context, () => this.#keepAll(context, request, range, table));
        const { offsetBytes: start, lengthBytes: length } = range;
        return { algorithm, block_size: blockSizeBytes, start, length, count: table.count };
      },
    });
  }

  async #keepAll(
    context: OperationContext,
    parameters: BlockHashing,
    range: ByteRange,
    table: DigestTable,
  ): Promise<void> {
    for await (const run of blockDigests(this.checksums.blocks(context, parameters, range))) {
      for (let first = 0; first < run.count; first += keptPerTurn) {
        if (first > 0) await new Promise(setImmediate);
        const count = Math.min(keptPerTurn, run.count - first);
        table.set({ ...run, offsetBytes: run.offsetBytes + first * run.blockBytes, count });
      }
      const { offsetBytes, blockBytes, count } = run;
      context.lease.progressed({ offsetBytes, lengthBytes: blockBytes * count });
    }
  }

  async #sendAll(
    body: EarlyHead,
    list: DigestList,
    context: OperationContext,
    parameters: BlockHashing,
    range: ByteRange,
  ): Promise<void> {
    const { lease } = context;
    const turn = new Turn(this.turns, context);
    await turn.take();
    try {
      const digests = blockDigests(this.checksums.blocks(context, parameters, range));
      for await (const run of digests) {
        for (let first = 0; first < run.count; first += digestsPerTurn) {
          if (first > 0) await new Promise(setImmediate);
          const sent = body.write(list.entries(run, first, Math.min(first + digestsPerTurn, run.count)));
          if (sent !== undefined) await turn.restDuring(sent);
        }
        const { offsetBytes, blockBytes, count } = run;
        lease.progressed({ offsetBytes, lengthBytes: blockBytes * count });
      }
      body.end(list.end());
    } finally {
      turn.give();
    }
  }
}

/** Being one of those that compute, which who waits for its client is not. */
class Turn {
  #taken = false;

  constructor(
    private readonly turns: FairShares,
    private readonly context: OperationContext,
  ) {}

  async take(): Promise<void> {
    await this.turns.take(this.context.permit, this.context.lease.signal);
    this.#taken = true;
  }

  /** Idempotent. */
  give(): void {
    if (!this.#taken) return;
    this.#taken = false;
    this.turns.give(this.context.permit);
  }

  async restDuring(sent: Promise<void>): Promise<void> {
    const isLate = await settledWithin(
      sent.then(() => false),
      unreadSecondsMax,
      () => true,
    );
    if (!isLate) return;
    this.give();
    await sent;
    await this.take();
  }
}

/** What the request names of the image, which may be too much. */
function askedRange({ startBytes, lengthBytes = 0 }: DigestsRequest): ByteRange {
  return { offsetBytes: startBytes, lengthBytes };
}

/** @throws RangeNotSatisfiableError when the image does not have it */
async function existingRange(
  request: DigestsRequest,
  { permit, backend }: OperationContext,
): Promise<ByteRange> {
  const asked = askedRange(request);
  const imageBytes = await backend.sizeBytes(
    request.lengthBytes === undefined ? undefined : asked.offsetBytes + asked.lengthBytes,
  );
  checkWithinImage(asked, imageBytes);
  const restBytes = Math.min(permit.sizeBytes, imageBytes) - asked.offsetBytes;
  return { offsetBytes: asked.offsetBytes, lengthBytes: request.lengthBytes ?? restBytes };
}

/** @throws InvalidRequestError */
function digestsRequest(query: QueryValues): DigestsRequest {
  const parameters = blockParameters(query);
  const startBytes = byteCount(query, 'start') ?? 0;
  if (startBytes % parameters.blockSizeBytes !== 0) {
    throw new InvalidRequestError(`Invalid start, expected a multiple of the block size`);
  }
  return { ...parameters, startBytes, lengthBytes: byteCount(query, 'length') };
}

function byteCount(query: QueryValues, name: string): number | undefined {
  const count = wholeNumber(query[name]);
  if (count === undefined && query[name] !== undefined) {
    throw new InvalidRequestError(`Invalid ${name}, expected a number of bytes`);
  }
  return count;
}
