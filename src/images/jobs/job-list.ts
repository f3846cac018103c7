import { NotFoundError, UnavailableError } from '../../base/errors.js';
import { Job } from './job.js';
import type { RunningJobs } from './running-jobs.js';

/**
 * Jobs that belong together, in the order in which they began. Those that have ended stay to be looked at
 * until others need their place, the oldest first.
 */
export class JobList {
  readonly #jobs = new Map<number, Job>();
  #lastId = 0;

  /** @param jobsMax of those that run and those that have ended */
  constructor(
    private readonly jobsMax: number,
    private readonly running: RunningJobs,
  ) {}

  get all(): readonly Job[] {
    return [...this.#jobs.values()];
  }

  /** @throws UnavailableError when as many run as there may be */
  begin(kind: string): Job {
    if (this.#jobs.size >= this.jobsMax) this.#makeRoom();
    this.#lastId += 1;
    const job = new Job(this.#lastId, kind);
    this.#jobs.set(job.id, job);
    this.running.add(job);
    return job;
  }

  /** Nobody finds the job any more. */
  forget(job: Job): void {
    this.#jobs.delete(job.id);
    job.forget();
  }

  /** @throws NotFoundError */
  find(id: number): Job {
    const job = this.#jobs.get(id);
    if (job === undefined) throw new NotFoundError(`There is no job ${id}`);
    return job;
  }

  #makeRoom(): void {
    for (const job of this.#jobs.values()) {
      if (job.running) continue;
      this.forget(job);
      return;
    }
    throw new UnavailableError(`Too many jobs run, the limit is ${this.jobsMax}`);
  }
}
