import type { BusyTime } from '../busy-time.js';

/** Tells when a daemon that is waited for has given no sign of life for too long, and adds up how long it was waited for. */
export class SilenceTimer {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly limitSeconds: number,
    private readonly waited: BusyTime,
    private readonly onSilence: () => void,
  ) {}

  /** The daemon was just heard of, or began to be waited for. */
  watch(): void {
    if (this.#timer !== undefined) {
      this.#timer.refresh();
      return;
    }
    this.waited.enter();
    this.#timer = setTimeout(this.onSilence, this.limitSeconds * 1000);
  }

  /** It is not the daemon that is waited for. */
  rest(): void {
    if (this.#timer === undefined) return;
    this.waited.leave();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
