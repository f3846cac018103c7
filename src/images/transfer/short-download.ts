import { StorageError } from '../../base/errors.js';
import type { ByteRange } from '../../base/units.js';
import type { Exchange } from '../../wire/exchange.js';
import { smallBufferBytes, type BufferHolder, type BufferPool } from '../buffers/buffer-pool.js';
import { DataSender } from './data-sender.js';
import type { OperationContext } from './image-operations.js';
import { firstData, type ResponseHead } from './first-data.js';
import { StalledClient } from './stalled-client.js';

/** One small buffer holds all of it. */
export function isShort({ lengthBytes }: ByteRange): boolean {
  return lengthBytes <= smallBufferBytes;
}

/**
 * The body of one response that is short: it is read as a whole, and sent together with its head. An
 * incremental backup asks for thousands of them, one after the other, and what a longer body needs for
 * reading ahead of its client takes a tenth of their time.
 */
export class ShortDownload implements BufferHolder {
  readonly #sender: DataSender;
  readonly #client: StalledClient;
  /** That the body is in, from when it was lent. */
  #buffer: Uint8Array | undefined;
  place = 0;

  constructor(
    private readonly exchange: Exchange,
    private readonly context: OperationContext,
    private readonly pool: BufferPool,
  ) {
    this.#sender = new DataSender(exchange, { signal: context.lease.signal, company: 'few' });
    this.#client = new StalledClient(pool, this.#sender);
  }

  /**
   * Sends `head` and `part` of the image, which has at least one byte.
   * @throws what {@link Download.run} throws
   */
  async run(part: ByteRange, head: ResponseHead): Promise<void> {
    const { exchange, pool } = this;
    const { backend, lease, permit } = this.context;
    try {
      const buffer = await pool.acquireFirst({ size: 'small', claimant: permit, signal: lease.signal });
      this.#buffer = buffer;
      pool.join(this);
      const data = await firstData(exchange, head, backend.read(buffer, part));
      // The size was checked when the request began, so somebody has cut the image meanwhile.
      if (data.length !== part.lengthBytes) throw new StorageError('The image ended before its size');
      lease.signal.throwIfAborted();
      if (!exchange.response.headersSent) exchange.response.writeHead(head.status, head.headers);
      await this.#sender.send(data, true);
      lease.progressed(part);
    } catch (error: unknown) {
      // A response that has begun is cut, which also makes the socket let go of the buffer.
      if (exchange.response.headersSent) exchange.connection.destroy();
      throw error;
    } finally {
      await this.#sender.finish();
      this.#release();
    }
  }

  giveBackIdle(): void {
    // The only buffer is in use for as long as it is held.
  }

  giveBackStalled(): boolean {
    if (!this.#client.isStalled() || this.#buffer === undefined) return false;
    const reason = this.#client.reasonToEnd(this.#buffer);
    if (reason !== undefined) this.exchange.abort(reason);
    return reason !== undefined;
  }

  #release(): void {
    if (this.#buffer === undefined) return;
    this.pool.leave(this);
    this.pool.release(this.#buffer);
  }
}
