import { Injectable } from '@nestjs/common';
import { ConflictError } from '../../base/errors.js';
import { settledWithin } from '../../base/settled-within.js';
import type { ControlConfig } from '../../config/sections/control.js';
import { Section } from '../../framework/settings.module.js';
import type { SampledGaugeOptions } from '../../observability/sampled-gauge.js';
import type { Job } from './job.js';

/** All jobs of the service that run, so that it can stop. */
@Injectable()
export class RunningJobs {
  readonly #jobs = new Set<Job>();

  constructor(@Section('control') private readonly control: Pick<ControlConfig, 'removeTimeoutSeconds'>) {}

  get running(): number {
    return this.#jobs.size;
  }

  /** Counts `job` until it ends. */
  add(job: Job): void {
    this.#jobs.add(job);
    void job.ended.then(() => this.#jobs.delete(job));
  }

  /**
   * Stops the job; resolves when nothing of it runs any more.
   * @throws ConflictError when storage still has not answered after `control.remove_timeout`
   */
  async cancel(job: Job): Promise<void> {
    job.cancel();
    await settledWithin(job.ended, this.control.removeTimeoutSeconds, () => {
      throw new ConflictError(`Timeout cancelling job ${job.id}`);
    });
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
