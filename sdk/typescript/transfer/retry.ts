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

/**
 * Tries again what failed for a reason that passes: a connection that broke, a service that restarts or is at
 * a limit. All workers of a transfer share one, so that a service that is away is not asked by each of them
 * as often, and progress of any is progress of all.
 */
export class Retrier {
  #failures = 0;

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
        return result;
      } catch (error: unknown) {
        signal.throwIfAborted();
        if (!(error instanceof TransferError) || !error.details.retryable) throw error;
        this.#failures += 1;
        if (this.#failures > this.options.retriesMax) throw error;
        const delaySeconds = Math.max(error.details.retryAfterSeconds ?? 0, this.#jitteredDelay());
        this.options.onRetry?.(error, delaySeconds);
        await pauseFor(delaySeconds, signal);
      }
    }
  }

  /** Between half of the delay and all of it: clients that failed together shall not come back together. */
  #jitteredDelay(): number {
    const delaySeconds = Math.min(firstDelaySeconds * 2 ** (this.#failures - 1), longestDelaySeconds);
    return delaySeconds * (0.5 + Math.random() / 2);
  }
}
