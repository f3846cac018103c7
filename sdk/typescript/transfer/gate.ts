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
    if (this.#closed === undefined) return;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#closed.promise, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
