import { progressMilliseconds } from '../../tickets/ticket-follower.js';
import type { EventStream } from '../../wire/event-stream.js';
import type { Job } from './job.js';

/**
 * Sends how far a job is, at once and then on change, until it has ended or the client leaves. The last event
 * is named by how the job ended. It only looks: nothing of it is an operation of the ticket.
 */
export async function followJob(job: Job, stream: EventStream): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tell = (): void => {
    timer = undefined;
    const info = job.info();
    if (job.running) stream.send({ event: 'progress', data: info });
    else stream.end({ event: info.state, data: info });
  };
  const stop = job.watch(() => {
    if (job.running) timer ??= setTimeout(tell, progressMilliseconds);
    else tell();
  });
  try {
    tell();
    await stream.closed;
  } finally {
    stop();
    clearTimeout(timer);
  }
}
