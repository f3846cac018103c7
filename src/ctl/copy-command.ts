import { setTimeout as delay } from 'node:timers/promises';
import { ImageioError, type Copy, type CopyJob, type TicketsClient } from '#sdk';
import { CommandError } from './command-error.js';
import type { CopyProgress } from './copy-progress.js';

/** Between two looks: short copies are seen to end soon, and long ones cost nothing. */
const firstLookMilliseconds = 50;
const lookMillisecondsMax = 1000;

/**
 * Has the daemon copy, and waits for the end.
 * @param stopped cancels the copy, whose end is waited for all the same: the target is written until then
 * @returns how it ended
 * @throws ImageioError when it is refused, or the service has gone
 */
export async function runCopy(
  tickets: TicketsClient,
  request: Copy,
  progress: CopyProgress,
  stopped: AbortSignal,
): Promise<CopyJob> {
  let job = await tickets.beginCopy(request);
  for (
    let wait = firstLookMilliseconds;
    job.state === 'running';
    wait = Math.min(2 * wait, lookMillisecondsMax)
  ) {
    progress.show(job);
    if (stopped.aborted) await cancel(tickets, job.id);
    else await delay(wait, undefined, { signal: stopped }).catch(() => undefined);
    job = await tickets.copy(job.id);
  }
  progress.end(job);
  return job;
}

/** @throws CommandError unless the copy was done */
export function requireDone({ state, problem }: CopyJob): void {
  if (state === 'done') return;
  const reason = problem?.title ?? 'the service does not say why';
  throw new CommandError(
    state === 'cancelled' ? `the copy was cancelled: ${reason}` : `the copy failed: ${reason}`,
  );
}

async function cancel(tickets: TicketsClient, number: number): Promise<void> {
  try {
    await tickets.cancelCopy(number);
  } catch (error: unknown) {
    // Storage does not answer. The copy ends when it does, for which is waited until the next interruption.
    if (!(error instanceof ImageioError && error.status === 409)) throw error;
  }
}
