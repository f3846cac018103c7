/** Tells when a daemon that is waited for has given no sign of life for too long. */
export class SilenceTimer {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly limitSeconds: number,
    private readonly onSilence: () => void,
  ) {}

  /** The daemon was just heard of, or began to be waited for. */
  watch(): void {
    if (this.#timer === undefined) this.#timer = setTimeout(this.onSilence, this.limitSeconds * 1000);
    else this.#timer.refresh();
  }

  /** It is not the daemon that is waited for. */
  rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
