import { Inject, Injectable } from '@nestjs/common';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { Section } from '../../framework/settings.module.js';
import { LOGGER, type Logger } from '../../log/logger.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import type { Exchange } from '../../wire/exchange.js';
import { prefersAsynchronous } from '../../wire/headers/prefer.js';
import type { AskedImage } from '../operations/image-handler.js';
import {
  ImageOperations,
  type OperationContext,
  type OperationRequest,
} from '../transfer/image-operations.js';
import type { Job } from './job.js';
import { JobList } from './job-list.js';
import { JobRoot } from './job-root.js';
import { RunningJobs } from './running-jobs.js';

/** An operation that may be done as a job. */
export interface LongWork {
  readonly request: OperationRequest;
  /** What the job is called where it is not what its operation counts as. */
  readonly kind?: string;
  /**
   * Refuses what the open image does not have.
   * @param job that it is going to be
   * @returns how many bytes of it will be worked on; 0 where nobody can tell
   */
  readonly total: (context: OperationContext, job: Job) => Promise<number>;
  /** @returns what the client gets in the end, if there is anything */
  readonly work: (context: OperationContext) => Promise<object | undefined>;
}

/** Whether the client rather has a job than to wait for the answer. */
export function wantsJob({ request }: Exchange): boolean {
  return prefersAsynchronous(request.headers.prefer);
}

/**
 * The jobs of images (docs/protocol.md, "Jobs"). They are kept for the object that a ticket is found by, so
 * that they are gone with it: no other ticket of the same id has them.
 */
@Injectable()
export class ImageJobs {
  readonly #lists = new WeakMap<TicketPermit, JobList>();

  constructor(
    private readonly operations: ImageOperations,
    private readonly runningJobs: RunningJobs,
    @Section('limits') private readonly limits: Pick<LimitsConfig, 'jobsPerTicketMax'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** The jobs of the ticket. @throws NotAllowedError */
  async of(exchange: Exchange, ticketId: string): Promise<JobList> {
    return this.#listOf(await this.operations.authorize(exchange, { ticketId, access: 'read' }));
  }

  /** @throws NotAllowedError, or NotFoundError when the ticket has no such job */
  async find(exchange: Exchange, { ticketId, parameters }: AskedImage): Promise<Job> {
    return (await this.of(exchange, ticketId)).find(Number(parameters['job']));
  }

  /**
   * Begins `work` as a job, and answers 202 once nothing can refuse it any more but the work itself. Until
   * then it ends with its request.
   * @throws what refuses it: UnavailableError when too many jobs run, and what `ImageOperations.run` throws
   *   before any work
   */
  async start(exchange: Exchange, { request, kind = request.kind, total, work }: LongWork): Promise<void> {
    const permit = await this.operations.authorize(exchange, request);
    const list = this.#listOf(permit);
    const job = list.begin(kind);
    const root = new JobRoot(job, exchange, this.logger);
    const begun = Promise.withResolvers<undefined>();
    await root.untilBegun(exchange, list, begun.promise, (onProgress) =>
      this.operations.runAlone(root, { permit, request, onProgress }, async (context) => {
        job.totalBytes = await total(context, job);
        context.lease.signal.throwIfAborted();
        begun.resolve(undefined);
        return work(context);
      }),
    );
    answerBegun(exchange, `/images/${encodeURIComponent(request.ticketId)}/jobs/${job.id}`, job);
  }

  #listOf(permit: TicketPermit): JobList {
    let list = this.#lists.get(permit);
    if (list === undefined) {
      list = new JobList(this.limits.jobsPerTicketMax, this.runningJobs);
      this.#lists.set(permit, list);
    }
    return list;
  }
}

/** @param path where the client finds the job from now on */
export function answerBegun(exchange: Exchange, path: string, job: Job): void {
  const headers = {
    'Content-Type': 'application/json',
    Location: path,
    'Preference-Applied': 'respond-async',
  };
  exchange.send(202, headers, JSON.stringify(job.info()));
}
