import type { Exchange } from '../../wire/exchange.js';
import type { ByteRange } from '../../base/units.js';
import type { BufferPool } from '../buffers/buffer-pool.js';
import { BufferSet } from './buffer-set.js';
import { DataSender } from './data-sender.js';
import type { OperationContext } from './image-operations.js';
import { type Piece, ReadAhead } from './read-ahead.js';
import { firstData, type ResponseHead } from './first-data.js';
import { StalledClient } from './stalled-client.js';

interface DownloadOptions {
  readonly pool: BufferPool;
  readonly countMax: number;
  /**
   * Makes of the body the headers that tell what it is; all of it has to fit into one buffer of the pool.
   * The data must not change until it resolves.
   */
  readonly describe?: ((data: Uint8Array) => Promise<Record<string, string>>) | undefined;
}

/** A client that takes longer for one buffer is slow: while others wait small buffers do as well for it. */
const slowClientMilliseconds = 1000;

/** The body of one response: storage is read ahead while what was read drains to the client. */
export class Download {
  /** What the socket is given from. */
  #sending: Uint8Array | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly context: OperationContext,
    private readonly options: DownloadOptions,
  ) {}

  /**
   * Sends `head` and `part` of the image.
   * @throws StorageError, UnavailableError, ClientGoneError or the reason of the exchange's signal. A
   *   response that has begun is cut then.
   */
  async run(part: ByteRange, head: ResponseHead): Promise<void> {
    const { exchange } = this;
    const { backend, lease, permit } = this.context;
    const buffers = await BufferSet.acquire(this.options.pool, {
      claimant: permit,
      lengthBytes: part.lengthBytes,
      countMax: Math.min(this.options.countMax, backend.inFlightMax + 1),
      signal: lease.signal,
    });
    const ahead = new ReadAhead(backend, buffers, part);
    const sender = new DataSender(exchange, { signal: lease.signal, company: buffers.company });
    const client = new StalledClient(this.options.pool, sender);
    const giveWay = (): boolean => this.#giveWay(ahead, client);
    buffers.onStall = giveWay;
    try {
      for (let sentBytes = 0; sentBytes < part.lengthBytes;) {
        const { buffer, data } = await (sentBytes === 0 ? this.#firstPiece(ahead, head) : ahead.next());
        lease.signal.throwIfAborted();
        if (!exchange.response.headersSent) await this.#writeHead(head, data);
        const range = { offsetBytes: part.offsetBytes + sentBytes, lengthBytes: data.length };
        sentBytes += data.length;
        const startedAt = performance.now();
        this.#sending = buffer;
        await sender.send(data, sentBytes === part.lengthBytes);
        this.#sending = undefined;
        buffers.isSlow = performance.now() - startedAt > slowClientMilliseconds;
        lease.progressed(range);
        ahead.recycle(buffer);
      }
    } catch (error: unknown) {
      // A response that has begun is cut, which also makes the socket let go of the buffer it is sending
      // from.
      if (exchange.response.headersSent) exchange.connection.destroy();
      throw error;
    } finally {
      await sender.finish();
      await ahead.idle();
      buffers.release();
    }
  }

  async #writeHead({ status, headers }: ResponseHead, data: Uint8Array): Promise<void> {
    const described = await this.options.describe?.(data);
    this.context.lease.signal.throwIfAborted();
    this.exchange.response.writeHead(status, { ...headers, ...described });
  }

  /**
   * Others wait for buffers. While the client reads nothing, what was read ahead for it is dropped, to be
   * read again later. The socket holds on to the buffer that is being sent; so in the end the client is cut
   * off, and has to go on from where it is with another request.
   */
  #giveWay(ahead: ReadAhead, client: StalledClient): boolean {
    const { pool } = this.options;
    const sending = this.#sending;
    if (!client.isStalled() || sending === undefined) return false;
    ahead.drop((buffer) => pool.isWanted(buffer));
    const reason = client.reasonToEnd(sending);
    if (reason !== undefined) this.exchange.abort(reason);
    return reason !== undefined;
  }

  /** A head that describes the data cannot go before it. */
  #firstPiece(ahead: ReadAhead, head: ResponseHead): Promise<Piece> {
    const reading = ahead.next();
    return this.options.describe === undefined ? firstData(this.exchange, head, reading) : reading;
  }
}
