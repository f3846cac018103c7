import type { BusyTime } from '../base/busy-time.js';

/**
 * Tells when a daemon that is waited for has given no sign of life for too long, and adds
 * up how long it was waited for.
 */
export class SilenceTimer {
  #timer: NodeJS.Timeout | undefined;
  #limitSeconds: number;

  constructor(
    limitSeconds: number,
    private readonly waited: BusyTime,
    private readonly onSilence: () => void,
  ) {
    this.#limitSeconds = limitSeconds;
  }

  /** How long it may be silent from now on. */
  set limitSeconds(seconds: number) {
    if (seconds === this.#limitSeconds) return;
    this.#limitSeconds = seconds;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  /** Starts the time anew: the daemon was just heard of, or is waited for from now on. */
  watch(): void {
    if (this.#timer !== undefined) {
      this.#timer.refresh();
      return;
    }
    this.waited.enter();
    this.#timer = this.#start();
  }

  /** Starts the time anew if it is running: the daemon was just heard of. */
  renew(): void {
    this.#timer?.refresh();
  }

  /** Stops the time: something else than the daemon is waited for. */
  rest(): void {
    if (this.#timer === undefined) return;
    this.waited.leave();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(): NodeJS.Timeout {
    return setTimeout(this.onSilence, this.#limitSeconds * 1000);
  }
}
