import type { Exchange } from '../../wire/exchange.js';

/**
 * Tells an exchange, by events instead of one promise per chunk, when it is the client that is waited for.
 */
export class ClientWait {
  #settle: ((nothing: undefined) => void) | undefined;

  constructor(private readonly exchange: Exchange) {}

  begin(): void {
    if (this.#settle !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#settle = resolve;
    void this.exchange.waitForClient(promise);
  }

  end(): void {
    this.#settle?.(undefined);
    this.#settle = undefined;
  }
}
