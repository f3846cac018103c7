import { ClientTimeoutError } from '../../base/errors.js';
import type { BufferPool } from '../buffers/buffer-pool.js';
import type { DataSender } from './data-sender.js';

/**
 * Tells of one download whether its client reads, in a time in which others wait for the buffer that the
 * socket is given from.
 */
export class StalledClient {
  /** When it was first found not to read. */
  #since: number | undefined;

  constructor(
    private readonly pool: BufferPool,
    private readonly sender: DataSender,
  ) {}

  /** Whether it has read nothing since the last look. To be called about every second. */
  isStalled(): boolean {
    if (this.sender.hasMoved()) this.#since = undefined;
    else this.#since ??= performance.now();
    return this.#since !== undefined;
  }

  /** What ends the download because of it; undefined while it may go on. */
  reasonToEnd(buffer: Uint8Array): ClientTimeoutError | undefined {
    const { stallSeconds } = this.pool;
    const isOver = this.#since !== undefined && performance.now() - this.#since >= stallSeconds * 1000;
    if (!isOver || !this.pool.isWanted(buffer)) return undefined;
    return new ClientTimeoutError(
      `Client read nothing for ${stallSeconds} seconds while others waited for its buffer`,
    );
  }
}
