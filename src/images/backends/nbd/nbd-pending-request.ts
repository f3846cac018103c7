import { NoSpaceError, type StorageError } from '../../../base/errors.js';
import type { ByteRange } from '../../../base/units.js';
import type { CommandName } from './nbd-codec.js';
import { errorName } from './nbd-codec.js';
import { NbdProtocolError, NbdRequestError } from './nbd-errors.js';
import { ReadCoverage } from './nbd-read-coverage.js';

/**
 * The descriptors of each context of a BLOCK_STATUS reply as they came: pairs of length and
 * flags, 32 bits each, big endian.
 */
export type BlockStatus = ReadonlyMap<number, Buffer>;

export interface RequestOptions {
  readonly command: CommandName;
  readonly range: ByteRange;
  /** Where a READ puts its data, exactly as long as the range. */
  readonly target?: Uint8Array;
  /** What the reply to a BLOCK_STATUS must report. */
  readonly contextIds?: readonly number[];
}

/** A request that waits for its reply, and what of the reply has come. */
export class PendingRequest {
  readonly command: CommandName;
  readonly range: ByteRange;
  readonly target: Uint8Array | undefined;
  /** Settles with the reply. */
  readonly settled: Promise<BlockStatus>;
  readonly #contextIds: readonly number[];
  readonly #coverage = new ReadCoverage();
  readonly #blockStatus = new Map<number, Buffer>();
  #hasHole = false;
  #error: StorageError | undefined;
  #resolve!: (status: BlockStatus) => void;
  #reject!: (reason: Error) => void;

  constructor({ command, range, target, contextIds }: RequestOptions) {
    this.command = command;
    this.range = range;
    this.target = target;
    this.#contextIds = contextIds ?? [];
    this.settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** A part of a read was answered as a hole. */
  get hasHole(): boolean {
    return this.#hasHole;
  }

  /**
   * The part of the target for a chunk of a read, marked as answered.
   * @throws NbdProtocolError when the chunk is not within what was asked for or repeats a part of it
   */
  claim(offsetBytes: number, lengthBytes: number): Uint8Array {
    const start = offsetBytes - this.range.offsetBytes;
    const end = start + lengthBytes;
    if (this.target === undefined || lengthBytes === 0 || start < 0 || end > this.target.length) {
      throw new NbdProtocolError(`data that was not asked for, ${lengthBytes} bytes at ${offsetBytes}`);
    }
    this.#coverage.add(start, end);
    return this.target.subarray(start, end);
  }

  /** A chunk of a read that has no data. @throws NbdProtocolError like `claim` */
  addHole(offsetBytes: number, lengthBytes: number): void {
    this.claim(offsetBytes, lengthBytes).fill(0);
    this.#hasHole = true;
  }

  addBlockStatus(contextId: number, descriptors: Buffer): void {
    if (!this.#contextIds.includes(contextId) || this.#blockStatus.has(contextId)) {
      throw new NbdProtocolError(`block status of context ${contextId}, unasked or twice`);
    }
    this.#blockStatus.set(contextId, descriptors);
  }

  /**
   * The server reports that the request failed; the reply may go on. The first error is
   * the one that counts.
   */
  addError(error: number, message = ''): void {
    if (this.#error !== undefined) return;
    const name = errorName(error);
    const failure = new NbdRequestError(this.command, name, message);
    this.#error = name === 'ENOSPC' ? new NoSpaceError({ cause: failure }) : failure;
  }

  /** The reply is complete. @throws NbdProtocolError when it reports success without being an answer */
  finish(): void {
    if (this.#error !== undefined) {
      this.#reject(this.#error);
      return;
    }
    if (this.target !== undefined && !this.#coverage.isExactly(0, this.target.length)) {
      throw new NbdProtocolError('a read that was answered in part');
    }
    if (this.#blockStatus.size !== this.#contextIds.length) {
      throw new NbdProtocolError('block status without all of its contexts');
    }
    this.#resolve(this.#blockStatus);
  }

  fail(reason: Error): void {
    this.#reject(reason);
  }
}
