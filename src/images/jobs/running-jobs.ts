import { Injectable } from '@nestjs/common';
import type { SampledGaugeOptions } from '../../observability/sampled-gauge.js';
import type { Job } from './job.js';

/** All jobs of the service that run, so that it can stop. */
@Injectable()
export class RunningJobs {
  readonly #jobs = new Set<Job>();

  get running(): number {
    return this.#jobs.size;
  }

  /** Counts `job` until it ends. */
  add(job: Job): void {
    this.#jobs.add(job);
    void job.ended.then(() => this.#jobs.delete(job));
  }

  /** Stops all of them after the I/O in flight. */
  abort(reason: Error): void {
    for (const job of this.#jobs) job.abort(reason);
  }
}

/** Shows how many jobs run. */
export function jobsGauge(jobs: RunningJobs): SampledGaugeOptions {
  return {
    name: 'imageio_jobs_running',
    help: 'Jobs that run, whether or not a client waits for them',
    read: () => [{ value: jobs.running }],
  };
}
