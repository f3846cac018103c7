import { pauseFor } from './pause-for.js';

/** Keeps a transfer to so many bytes a second. */
export class RateLimit {
  /** When the bytes so far may have been sent, in milliseconds of `performance.now()`. */
  #dueAt = 0;

  /** @param bytesPerSecond undefined for no limit */
  constructor(private readonly bytesPerSecond: number | undefined) {}

  /** Resolves when so many bytes more may be moved. @throws the reason of `signal` */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.bytesPerSecond === undefined) return;
    const now = performance.now();
    // What was not used while nothing moved is not made up for.
    const startAt = Math.max(now, this.#dueAt);
    this.#dueAt = startAt + (bytes / this.bytesPerSecond) * 1000;
    if (startAt > now) await pauseFor((startAt - now) / 1000, signal);
  }
}
