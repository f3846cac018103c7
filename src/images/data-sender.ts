import { ClientGoneError } from '../errors.js';
import type { Exchange } from '../http/exchange.js';

/**
 * Sends the pieces of one response body, each straight from the caller's buffer. Listens for the end of connection and operation once for all
 * of them: a listener for each piece costs as much as handing it to the socket.
 */
export class DataSender {
  readonly #exchange: Exchange;
  readonly #signal: AbortSignal;
  /** The socket is still reading the piece that was given to it last. */
  #pieceInUse = false;
  #settle: ((error?: Error) => void) | undefined;
  #idle: (() => void) | undefined;

  /** @param signal gives up waiting for the client; its reason is what `send` rejects with */
  constructor(exchange: Exchange, signal: AbortSignal) {
    this.#exchange = exchange;
    this.#signal = signal;
    // A write that is queued when the connection closes is never called back.
    exchange.response.once('close', this.#onClose);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /**
   * Resolves when the kernel has taken all of `data`, so that its memory can be used again. When it rejects the memory is still in use until
   * `finish` has resolved.
   * @param last ends the response with it
   * @throws ClientGoneError, or the reason of the signal
   */
  async send(data: Uint8Array, last: boolean): Promise<void> {
    const { response } = this.#exchange;
    this.#signal.throwIfAborted();
    if (response.destroyed) throw new ClientGoneError();
    const sent = new Promise<void>((resolve, reject) => {
      this.#settle = (error) => {
        if (error === undefined) resolve();
        else reject(error);
      };
    });
    this.#pieceInUse = true;
    if (last) response.end(data, this.#onWritten);
    else response.write(data, this.#onWritten);
    await this.#exchange.waitForClient(sent);
  }

  /** No more pieces. Resolves when the socket uses no memory of ours: all was sent, or the connection is closed. */
  async finish(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (this.#pieceInUse) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#exchange.response.off('close', this.#onClose);
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.#pieceInUse = false;
    this.#finishPiece(error ? new ClientGoneError() : undefined);
    this.#idle?.();
  };

  readonly #onClose = (): void => {
    this.#onWritten(new ClientGoneError());
  };

  readonly #onAbort = (): void => {
    this.#finishPiece(this.#signal.reason as Error);
  };

  #finishPiece(error?: Error): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(error);
  }
}
