import { Inject, Injectable } from '@nestjs/common';
import { InvalidRequestError, NotFoundError } from '../../base/errors.js';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { Section } from '../../framework/settings.module.js';
import { LOGGER, type Logger } from '../../log/logger.js';
import { checkWithinImage, checkWithinTicket } from '../../tickets/range-check.js';
import type { TicketAccess } from '../../tickets/ticket-definition.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import { TICKET_STORE, type TicketStore } from '../../tickets/ticket.store.js';
import type { Exchange } from '../../wire/exchange.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import type { FairShares } from '../buffers/fair-shares.js';
import { HashWorkers } from '../checksum/hash-workers.js';
import { answerBegun } from '../jobs/image-jobs.js';
import type { Job } from '../jobs/job.js';
import { JobList } from '../jobs/job-list.js';
import { JobRoot } from '../jobs/job-root.js';
import { RunningJobs } from '../jobs/running-jobs.js';
import { CHECKSUM_TURNS } from '../operations/image-checksums.js';
import { ImageOperations, type OperationContext } from '../transfer/image-operations.js';
import { ImageCopy, type CopyResult } from './image-copy.js';

/** Which tickets to copy between, and how. */
export interface CopyRequest {
  readonly source: string;
  readonly target: string;
  readonly dirty: boolean;
  readonly verify: boolean;
}

/**
 * Copies between the images of two tickets of this daemon (docs/protocol.md, "Copies"). Each is a job, and an
 * operation of both tickets at once.
 */
@Injectable()
export class Copies {
  readonly list: JobList;

  constructor(
    @Inject(TICKET_STORE) private readonly tickets: TicketStore,
    private readonly operations: ImageOperations,
    private readonly pool: BufferPool,
    private readonly workers: HashWorkers,
    @Inject(CHECKSUM_TURNS) private readonly turns: FairShares,
    runningJobs: RunningJobs,
    @Section('limits') limits: Pick<LimitsConfig, 'copiesMax'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.list = new JobList(limits.copiesMax, runningJobs);
  }

  /**
   * Begins the copy, and answers 202 once both images are open and nothing but the work can fail any more.
   * @throws what refuses it
   */
  async start(exchange: Exchange, request: CopyRequest): Promise<void> {
    const source = await this.#permit(request.source, 'read');
    const target = await this.#permit(request.target, 'write');
    const job = this.list.begin('copy');
    exchange.logFields['transfer_id'] = source.transferId;
    exchange.logFields['target_transfer_id'] = target.transferId;
    const root = new JobRoot(job, exchange, this.logger);
    root.logFields['target_transfer_id'] = target.transferId;
    const begun = Promise.withResolvers<undefined>();
    const begin = (totalBytes: number): void => {
      job.totalBytes = totalBytes;
      begun.resolve(undefined);
    };
    await root.untilBegun(exchange, this.list, begun.promise, (onProgress) =>
      this.operations.runAlone(
        root,
        { permit: source, request: { ticketId: request.source, access: 'read', kind: 'read' } },
        (from) =>
          this.operations.runAlone(
            root,
            {
              permit: target,
              request: {
                ticketId: request.target,
                access: 'write',
                kind: 'write',
                changes: { offsetBytes: 0, lengthBytes: target.sizeBytes },
              },
              onProgress,
            },
            (to) => this.#copy(from, to, request, job, begin),
          ),
      ),
    );
    answerBegun(exchange, `/copies/${job.id}`, job);
  }

  async #copy(
    source: OperationContext,
    target: OperationContext,
    { dirty, verify }: CopyRequest,
    job: Job,
    begin: (totalBytes: number) => void,
  ): Promise<CopyResult> {
    // Known only now: one image may have several names.
    if (source.backend.place === target.backend.place)
      throw new InvalidRequestError('Source and target are one image');
    const lengthBytes = await lengthOfCopy(source, target);
    if (dirty && !(source.permit.definition.dirty && source.backend.canDirtyExtents))
      throw new NotFoundError('The source has no dirty extents');
    target.lease.signal.throwIfAborted();
    begin(verify ? 2 * lengthBytes : lengthBytes);
    const { pool, workers } = this;
    const onSkipped = (skippedBytes: number): void => {
      job.progressed(skippedBytes);
    };
    const copy = new ImageCopy({ source, target, lengthBytes, dirty, pool, workers, onSkipped });
    const result = await copy.run();
    if (!verify) return result;
    await this.turns.during(target.permit, target.lease.signal, () => copy.verify());
    return result;
  }

  /** @throws NotFoundError, NotAllowedError */
  async #permit(id: string, access: TicketAccess): Promise<TicketPermit> {
    if ((await this.tickets.find(id)) === undefined)
      throw new NotFoundError(`No such ticket ${JSON.stringify(id)}`);
    return this.tickets.authorize(id, access);
  }
}

/** @throws RangeNotSatisfiableError when the target has no room for what a download of the source has */
async function lengthOfCopy(source: OperationContext, target: OperationContext): Promise<number> {
  const lengthBytes = Math.min(source.permit.sizeBytes, await source.backend.sizeBytes());
  const range = { offsetBytes: 0, lengthBytes };
  checkWithinTicket(range, target.permit.sizeBytes);
  if (!target.backend.growable) checkWithinImage(range, await target.backend.sizeBytes());
  return lengthBytes;
}
