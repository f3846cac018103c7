import type { Exchange } from '../../wire/exchange.js';

/**
 * Tells an exchange, by events instead of one promise per chunk, when it is the client that is waited for.
 */
export class ClientWait {
  #settle: (() => void) | undefined;

  constructor(private readonly exchange: Exchange) {}

  begin(): void {
    if (this.#settle !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#settle = () => {
      resolve(undefined);
    };
    void this.exchange.waitForClient(promise);
  }

  end(): void {
    this.#settle?.();
    this.#settle = undefined;
  }
}
