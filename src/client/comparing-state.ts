import type { StateStore, TransferState } from '#sdk/transfer';

/** Names no disk. */
const elsewhere = 'elsewhere';

/** Between which disks a transfer is, as its options say it. */
export type Identities = Pick<TransferState, 'sizeBytes' | 'sourceIdentity' | 'targetIdentity'>;

/**
 * Has the first run of a transfer compare the blocks of its disks, and move what differs: where there is no
 * state of an earlier one between the same two it says that all was moved, but from or to another disk.
 */
export class ComparingState implements StateStore {
  constructor(
    private readonly store: StateStore,
    private readonly disks: Identities,
    /** The side that tells digests. */
    private readonly hashing: 'source' | 'target',
  ) {}

  async load(): Promise<TransferState> {
    const { sizeBytes, sourceIdentity, targetIdentity } = this.disks;
    const state = await this.store.load();
    const isOfThese = state?.sourceIdentity === sourceIdentity && state.targetIdentity === targetIdentity;
    if (isOfThese && state.durable.length > 0) return state;
    return {
      ...{ version: 1, ...this.disks },
      ...(this.hashing === 'source' ? { sourceIdentity: elsewhere } : { targetIdentity: elsewhere }),
      durable: [{ offsetBytes: 0, lengthBytes: sizeBytes }],
    };
  }

  async save(state: TransferState): Promise<void> {
    await this.store.save(state);
  }

  async remove(): Promise<void> {
    await this.store.remove();
  }
}
