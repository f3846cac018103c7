import { ClientGoneError } from '../errors.js';
import { abortable } from '../http/abortable.js';
import type { Exchange } from '../http/exchange.js';

/** Sends pieces of a response body straight from the caller's buffers. */
export class DataSender {
  readonly #exchange: Exchange;
  readonly #signal: AbortSignal;
  #sending: Promise<void> = Promise.resolve();

  /** @param signal gives up waiting for the client; its reason is what `send` rejects with */
  constructor(exchange: Exchange, signal: AbortSignal) {
    this.#exchange = exchange;
    this.#signal = signal;
  }

  /**
   * Resolves when the kernel has taken all of `data`, so that its memory can be used again. When it rejects the memory is still in use until `idle`.
   * @param last ends the response with it
   */
  async send(data: Uint8Array, last: boolean): Promise<void> {
    this.#sending = this.#write(data, last);
    await this.#exchange.waitForClient(abortable(this.#sending, this.#signal));
  }

  /** The socket uses no memory of ours any more: all was sent, or the connection is closed. */
  async idle(): Promise<void> {
    await this.#sending.catch(() => undefined);
  }

  #write(data: Uint8Array, last: boolean): Promise<void> {
    const { response } = this.#exchange;
    return new Promise<void>((resolve, reject) => {
      // A write that is queued when the connection closes is never called back.
      const closed = (): void => {
        reject(new ClientGoneError());
      };
      response.once('close', closed);
      const written = (error?: Error | null): void => {
        response.off('close', closed);
        if (error) reject(new ClientGoneError());
        else resolve();
      };
      if (last) response.end(data, written);
      else response.write(data, written);
    });
  }
}
