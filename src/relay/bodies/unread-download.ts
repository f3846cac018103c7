import { ClientTimeoutError } from '../../base/errors.js';
import type { Exchange } from '../../wire/exchange.js';
import { unacknowledgedBytes } from '../../node-internals/socket-descriptor.js';
import type { BufferLoan } from '../buffers/buffer-loan.js';
import type { CoalescingWriter } from './coalescing-writer.js';

/**
 * Notices a client that reads nothing of its download while others wait for buffers. The memory that its
 * socket is sending from cannot be taken back, so in the end the client is cut off; it can go on from
 * where it is with another request.
 */
export class UnreadDownload {
  /** When the client was first found not to read, in a time in which others wait for buffers. */
  #stalledAt: number | undefined;
  /** What there was at the last look. */
  #seen = { writesDone: -1, unacknowledgedBytes: -1 };

  constructor(
    private readonly exchange: Pick<Exchange, 'request' | 'abort'>,
    private readonly writer: CoalescingWriter,
    private readonly buffers: BufferLoan,
  ) {}

  /** Called while others wait for buffers. @returns whether the download was ended to free its buffers */
  giveWay(): boolean {
    if (!this.writer.isSending || this.#hasMoved()) {
      this.#stalledAt = undefined;
      return false;
    }
    this.#stalledAt ??= performance.now();
    const { stallSeconds } = this.buffers;
    const isOver = performance.now() - this.#stalledAt >= stallSeconds * 1000;
    if (!isOver || !this.buffers.isWanted) return false;
    const text = `Client read nothing for ${stallSeconds} seconds while others waited for its buffers`;
    this.exchange.abort(new ClientTimeoutError(text));
    return true;
  }

  /**
   * The kernel takes more only when a third of its buffer is free again, which is long for a client that
   * reads slowly: so what it has acknowledged counts.
   */
  #hasMoved(): boolean {
    const { writesDone, unacknowledgedBytes: seenBytes } = this.#seen;
    const stuckBytes = unacknowledgedBytes(this.exchange.request.socket) ?? 0;
    this.#seen = { writesDone: this.writer.writesDone, unacknowledgedBytes: stuckBytes };
    return writesDone !== this.writer.writesDone || stuckBytes !== seenBytes;
  }
}
