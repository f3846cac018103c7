import { Inject, Injectable } from '@nestjs/common';
import { ConflictError, InvalidRequestError, NotFoundError, UnavailableError } from '../../base/errors.js';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { Section } from '../../framework/settings.module.js';
import type { SampledGaugeOptions } from '../../observability/sampled-gauge.js';
import { TICKET_STORE, type TicketStore } from '../../tickets/ticket.store.js';
import { DigestTable, type DigestTableLayout } from '../checksum/digest-table.js';
import type { Job } from './job.js';

interface Kept {
  readonly ticketId: string;
  readonly job: Job;
  readonly table: DigestTable;
}

/**
 * What jobs have computed of digests of blocks, until somebody has asked for them (docs/protocol.md, "Jobs").
 * They go with their job or their ticket, and with a job that is not done. All of them together are bounded:
 * room for those of a job is taken before it begins, so that none fails for want of it.
 */
@Injectable()
export class JobDigests {
  readonly #ofJobs = new Map<Job, Kept>();
  /** Of each ticket, in the order in which they began. */
  readonly #ofTickets = new Map<string, Set<Kept>>();
  #bytes = 0;

  constructor(
    @Section('limits') private readonly limits: Pick<LimitsConfig, 'jobDigestBytesMax'>,
    @Inject(TICKET_STORE) tickets: Pick<TicketStore, 'onRemoved'>,
  ) {
    tickets.onRemoved((id) => {
      for (const kept of this.#of(id)) this.#drop(kept);
    });
  }

  get bytesMax(): number {
    return this.limits.jobDigestBytesMax;
  }

  /** What is in use of it. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Makes room for the digests that `job` is about to compute. A ticket gets half of all that there is, for
   * which those of its jobs that ended first are given up.
   * @throws InvalidRequestError when there never is room for so many; UnavailableError when others have it
   */
  begin(job: Job, ticketId: string, layout: DigestTableLayout): DigestTable {
    const table = new DigestTable(layout);
    const shareBytes = Math.floor(this.bytesMax / 2);
    if (table.bytes > shareBytes)
      throw new InvalidRequestError(
        `${table.count} digests take ${table.bytes} bytes, of which a job may keep ${shareBytes}: ask for ` +
          'larger blocks or for a part, or without respond-async',
      );
    this.#makeRoom(ticketId, table.bytes, shareBytes);
    table.allocate();
    const kept = { ticketId, job, table };
    this.#keep(kept);
    void job.ended.then(() => {
      if (!job.done) this.#drop(kept);
    });
    void job.forgotten.then(() => {
      this.#drop(kept);
    });
    return table;
  }

  /**
   * What the job has computed.
   * @throws ConflictError while it runs; NotFoundError when it has computed none, or they had to make room
   */
  find(job: Job): DigestTable {
    if (job.running) throw new ConflictError(`Job ${job.id} is still running`);
    const kept = this.#ofJobs.get(job);
    if (kept === undefined) throw new NotFoundError(`Job ${job.id} has no digests, or not any more`);
    return kept.table;
  }

  /** @throws UnavailableError; nothing is given up then */
  #makeRoom(ticketId: string, neededBytes: number, shareBytes: number): void {
    const given = this.#of(ticketId).filter(({ job }) => !job.running);
    let excessBytes = Math.max(
      bytesOf(this.#of(ticketId)) + neededBytes - shareBytes,
      this.#bytes + neededBytes - this.bytesMax,
    );
    if (excessBytes > bytesOf(given))
      throw new UnavailableError('Digests of other jobs take the room of these');
    for (const oldest of given) {
      if (excessBytes <= 0) return;
      excessBytes -= oldest.table.bytes;
      this.#drop(oldest);
    }
  }

  #of(ticketId: string): readonly Kept[] {
    return [...(this.#ofTickets.get(ticketId) ?? [])];
  }

  #keep(kept: Kept): void {
    this.#ofJobs.set(kept.job, kept);
    const others = this.#ofTickets.get(kept.ticketId) ?? new Set();
    this.#ofTickets.set(kept.ticketId, others.add(kept));
    this.#bytes += kept.table.bytes;
  }

  /** Idempotent. Who is being told them is told no more. */
  #drop(kept: Kept): void {
    if (!this.#ofJobs.delete(kept.job)) return;
    const others = this.#ofTickets.get(kept.ticketId);
    others?.delete(kept);
    if (others?.size === 0) this.#ofTickets.delete(kept.ticketId);
    this.#bytes -= kept.table.bytes;
    kept.table.free();
  }
}

function bytesOf(kept: readonly Kept[]): number {
  return kept.reduce((sum, { table }) => sum + table.bytes, 0);
}

/** Show how much memory digests of jobs take. */
export function jobDigestGauges(digests: JobDigests): readonly SampledGaugeOptions[] {
  return [
    {
      name: 'imageio_job_digest_bytes_in_use',
      help: 'Memory of the digests that jobs have computed or are computing',
      read: () => [{ value: digests.bytes }],
    },
    {
      name: 'imageio_job_digest_bytes_max',
      help: 'How much of it there may be: [limits] job_digest_bytes',
      read: () => [{ value: digests.bytesMax }],
    },
  ];
}
