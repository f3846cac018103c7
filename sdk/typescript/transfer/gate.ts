import { abortable } from './abortable.js';

/** What a paused transfer waits at. */
export class Gate {
  #closed: PromiseWithResolvers<undefined> | undefined;

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  close(): void {
    this.#closed ??= Promise.withResolvers<undefined>();
  }

  open(): void {
    this.#closed?.resolve(undefined);
    this.#closed = undefined;
  }

  /** Resolves while it is open. @throws the reason of `signal` */
  async pass(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) await abortable(this.#closed.promise, signal);
  }
}
