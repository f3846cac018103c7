import { BadGatewayError } from '../base/errors.js';

/** How many may come at once, whatever the daemon sends them for. */
const burstMax = 100;
/** Our daemons send one each few seconds. */
const perSecondMax = 1;

/**
 * Counts the answers before the answer (1xx) of a daemon. The client never hears of them, so a daemon that
 * sends them without end would keep the proxy busy for nothing.
 */
export class InterimAnswers {
  readonly #startedAt = performance.now();
  #count = 0;

  /** There was at least one. */
  get any(): boolean {
    return this.#count > 0;
  }

  /** @returns why it was one too many; undefined when it was not */
  add(): BadGatewayError | undefined {
    this.#count += 1;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    if (this.#count <= burstMax + seconds * perSecondMax) return undefined;
    return new BadGatewayError('The host of the image sends interim answers without end');
  }
}
