import { TransferError } from './failure.js';
import { pauseFor } from './pause-for.js';

export interface RetryOptions {
  /** How often in a row something may fail before anything else succeeds. */
  readonly retriesMax: number;
  /** Told of each failure that is tried again. */
  readonly onRetry?: ((error: TransferError, delaySeconds: number) => void) | undefined;
}

/** The first pause; each is twice as long as the one before, up to the longest. */
const firstDelaySeconds = 0.25;
const longestDelaySeconds = 30;
/** Timers may fire a millisecond early, and then the next failure would still be the last one. */
const timerSlackSeconds = 0.002;

/**
 * Tries again what failed for a reason that passes: a connection that broke, a service that restarts or is at
 * a limit. All workers of a transfer share one: progress of any is progress of all, and what they fail with
 * at once, because a service has gone under all of them, is one failure.
 */
export class Retrier {
  #failures = 0;
  /** Until then, of `performance.now()`, all that fails is the failure that was counted last. */
  #pausedUntil = 0;
  readonly #stopped = new AbortController();
  #woken = new AbortController();

  constructor(private readonly options: RetryOptions) {}

  /**
   * @throws the last failure when there were too many in a row, one that trying again does not help against,
   *   or the reason of `signal`
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      try {
        const result = await work();
        this.#failures = 0;
        this.#pausedUntil = 0;
        return result;
      } catch (error: unknown) {
        signal.throwIfAborted();
        if (!(error instanceof TransferError) || !error.details.retryable) throw error;
        const delaySeconds = Math.max(error.details.retryAfterSeconds ?? 0, this.#pauseSeconds());
        if (this.#failures > this.options.retriesMax || this.#stopped.signal.aborted) throw error;
        this.options.onRetry?.(error, delaySeconds);
        await this.#pause(delaySeconds, signal, error);
      }
    }
  }

  /** Nothing is tried again any more: what fails or waits to be tried again has failed. Idempotent. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Whatever waits to be tried again is tried now, as if it had not failed before. */
  retryNow(): void {
    this.#failures = 0;
    this.#pausedUntil = 0;
    this.#woken.abort();
    this.#woken = new AbortController();
  }

  /** @throws `failure` when it is stopped meanwhile */
  async #pause(seconds: number, signal: AbortSignal, failure: TransferError): Promise<void> {
    const ends = [signal, this.#stopped.signal, this.#woken.signal];
    try {
      await pauseFor(seconds, AbortSignal.any(ends));
    } catch {
      signal.throwIfAborted();
      if (this.#stopped.signal.aborted) throw failure;
    }
  }

  /** Counts a failure, unless it is one with the last. @returns how long to wait */
  #pauseSeconds(): number {
    const now = performance.now();
    if (now >= this.#pausedUntil) {
      this.#failures += 1;
      this.#pausedUntil = now + this.#jitteredDelay() * 1000;
    }
    return (this.#pausedUntil - now) / 1000 + timerSlackSeconds;
  }

  /** Between half of the delay and all of it: clients that failed together shall not come back together. */
  #jitteredDelay(): number {
    const delaySeconds = Math.min(firstDelaySeconds * 2 ** (this.#failures - 1), longestDelaySeconds);
    return delaySeconds * (0.5 + Math.random() / 2);
  }
}
