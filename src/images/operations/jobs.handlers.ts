import { setImmediate } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { EarlyHead } from '../../wire/early-head.js';
import { EventStreams } from '../../wire/event-stream.js';
import type { Exchange } from '../../wire/exchange.js';
import { wantsJsonLines } from '../../wire/list-text.js';
import { DigestList, digestsPerTurn } from './digest-list.js';
import type { AskedImage, ImageHandler } from './image-handler.js';
import { followJob } from '../jobs/job-follower.js';
import { ImageJobs } from '../jobs/image-jobs.js';
import { JobDigests } from '../jobs/job-digests.js';
import { RunningJobs } from '../jobs/running-jobs.js';

const json = { 'Content-Type': 'application/json' };

/** GET /images/{id}/jobs: those of the ticket, in the order in which they began. */
@Injectable()
export class ListJobsHandler implements ImageHandler {
  constructor(private readonly jobs: ImageJobs) {}

  async handle(exchange: Exchange, { ticketId }: AskedImage): Promise<void> {
    const { all } = await this.jobs.of(exchange, ticketId);
    exchange.send(200, json, JSON.stringify(all.map((job) => job.info())));
  }
}

/** GET /images/{id}/jobs/{n} */
@Injectable()
export class JobHandler implements ImageHandler {
  constructor(private readonly jobs: ImageJobs) {}

  async handle(exchange: Exchange, asked: AskedImage): Promise<void> {
    const job = await this.jobs.find(exchange, asked);
    exchange.send(200, json, JSON.stringify(job.info()));
  }
}

/** DELETE /images/{id}/jobs/{n}: answers when nothing of the job runs any more. */
@Injectable()
export class CancelJobHandler implements ImageHandler {
  constructor(
    private readonly jobs: ImageJobs,
    private readonly runningJobs: RunningJobs,
  ) {}

  async handle(exchange: Exchange, asked: AskedImage): Promise<void> {
    const job = await this.jobs.find(exchange, asked);
    await this.runningJobs.cancel(job);
    exchange.send(204);
  }
}

/** GET /images/{id}/jobs/{n}/events: how far the job is, as it goes on. */
@Injectable()
export class JobEventsHandler implements ImageHandler {
  constructor(
    private readonly jobs: ImageJobs,
    private readonly streams: EventStreams,
  ) {}

  async handle(exchange: Exchange, asked: AskedImage): Promise<void> {
    const job = await this.jobs.find(exchange, asked);
    exchange.logFields['operation'] = 'events';
    exchange.polled = true;
    const stream = this.streams.begin(exchange);
    exchange.onDrain(() => {
      stream.end({ event: 'draining', data: job.info() });
    });
    await followJob(job, stream);
  }
}

/** GET /images/{id}/jobs/{n}/digests: what a job has computed, as often as it is asked for. */
@Injectable()
export class JobDigestsHandler implements ImageHandler {
  constructor(
    private readonly jobs: ImageJobs,
    private readonly digests: JobDigests,
  ) {}

  async handle(exchange: Exchange, asked: AskedImage): Promise<void> {
    const table = this.digests.find(await this.jobs.find(exchange, asked));
    const list = new DigestList(wantsJsonLines(exchange));
    const body = new EarlyHead(exchange, { 'Content-Type': list.contentType });
    body.start();
    try {
      let count = 0;
      for (const run of table.runs()) {
        list.add(run);
        count += 1;
        if (count % digestsPerTurn !== 0) continue;
        const sent = body.write(list.take());
        await (sent ?? setImmediate());
      }
      body.end(list.end());
    } finally {
      body.stop();
    }
  }
}
