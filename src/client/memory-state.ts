import type { StateStore, TransferState } from '#sdk/transfer';

/** The state of a transfer that goes on only within this run. */
export class MemoryState implements StateStore {
  #state: TransferState | undefined;

  async load(): Promise<TransferState | undefined> {
    return this.#state;
  }

  async save(state: TransferState): Promise<void> {
    this.#state = state;
  }

  async remove(): Promise<void> {
    this.#state = undefined;
  }
}
