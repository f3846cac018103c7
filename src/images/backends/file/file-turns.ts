import { StorageError } from '../../../base/errors.js';
import { type Claimant, FairShares } from '../../buffers/fair-shares.js';

/**
 * The turns of one image at the threads for file I/O. A thread whose storage hangs cannot be had back, and
 * without bounds the few dozen requests of one ticket would take all of them, and with them the files of
 * everyone.
 */
export class FileTurns {
  #waiting = new AbortController();

  /** @param threads shared by all images of this process */
  constructor(
    private readonly threads: FairShares,
    private readonly claimant: Claimant,
  ) {}

  /**
   * Makes `call` when its turn has come. @throws StorageError when it was given up before, and what `call`
   * throws
   */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const { threads, claimant } = this;
    if (!threads.tryTake(claimant)) await threads.take(claimant, this.#waiting.signal);
    try {
      return await call();
    } finally {
      threads.give(claimant);
    }
  }

  /** Gives up the calls whose turn has not come: they have not reached the storage. */
  abandon(): void {
    this.#waiting.abort(new StorageError('The call was given up before its turn came'));
    this.#waiting = new AbortController();
  }
}
