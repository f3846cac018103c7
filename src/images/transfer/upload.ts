import { ClientTimeoutError, DamagedBodyError } from '../../base/errors.js';
import type { TicketLease } from '../../tickets/ticket-lease.js';
import { bodyBeyondTicket } from '../../tickets/range-check.js';
import type { Exchange } from '../../wire/exchange.js';
import type { Backend } from '../backends/backend.js';
import { blockSlackBytes } from '../buffers/aligned-memory.js';
import { type BufferPool, smallBufferBytes } from '../buffers/buffer-pool.js';
import type { BlockRecorder } from '../checksum/block-recorder.js';
import type { BodyProof } from '../checksum/body-proof.js';
import { BodyReader } from './body-reader.js';
import type { BufferSet } from './buffer-set.js';

export interface UploadOptions {
  readonly backend: Backend;
  readonly lease: TicketLease;
  readonly pool: BufferPool;
  readonly buffers: BufferSet;
  readonly offsetBytes: number;
  /** Where the body must end, at the latest for a chunked one. */
  readonly endBytes: number;
  /** Keeps digests of whole blocks. */
  readonly recorder: BlockRecorder | undefined;
}

// Data sits in its buffer at the same distance from a page boundary as in the image, so
// that direct I/O needs no copy.
const pageBytes = 4096;

/** Moves the body of one request to storage while it arrives. */
export class Upload {
  readonly #body: BodyReader;
  readonly #isChunked: boolean;
  /** Of the next byte that arrives. */
  #offsetBytes: number;

  constructor(
    private readonly exchange: Exchange,
    private readonly options: UploadOptions,
  ) {
    const { lease, buffers, offsetBytes } = options;
    this.#body = new BodyReader(exchange, lease.signal);
    this.#isChunked = exchange.request.headers['content-length'] === undefined;
    this.#offsetBytes = offsetBytes;
    // A client that pauses, or waits to hear of what it sent, is told now and not when it sends more.
    const giveUp = (error: unknown): void => {
      this.#body.giveUp(error);
    };
    buffers.onFailure = giveUp;
  }

  /**
   * Returns when everything that arrived is in the backend, or replaced there by what younger requests wrote.
   * When it throws, no write is running any more: what was handed to storage is counted and the rest of the
   * body dropped.
   * @param proof by which the body is verified. One that fits into a buffer is verified before anything of it
   *   is written; of a longer one nothing counts before it was.
   * @throws what is wrong with body or storage, or the reason of the lease's signal
   */
  async run(proof?: BodyProof): Promise<void> {
    try {
      if (proof === undefined) await this.#writeWhileArriving();
      else await this.#writeVerified(proof);
    } finally {
      this.#body.stop();
      await this.options.buffers.idle();
    }
  }

  async #writeWhileArriving(proof?: BodyProof): Promise<void> {
    const { lease, buffers, endBytes } = this.options;
    // A buffer is taken only when there is data to put into it.
    while (this.#offsetBytes < endBytes && (await this.#body.arrival())) {
      const buffer = await buffers.take();
      lease.signal.throwIfAborted();
      const stepBytes = buffers.stepAt(buffer, this.#offsetBytes, endBytes);
      const target = this.#targetIn(buffer, stepBytes);
      const filledBytes = await this.#body.fill(target);
      buffers.isSlow = filledBytes < Math.min(stepBytes, smallBufferBytes);
      this.#write(buffer, target.subarray(0, filledBytes), proof);
    }
    await buffers.settled();
    await this.options.recorder?.settled();
    await this.#finishBody(this.#offsetBytes === endBytes);
  }

  async #writeVerified(proof: BodyProof): Promise<void> {
    const { lease } = this.options;
    if (await this.#writeIfShort(proof)) return;
    await this.#writeWhileArriving(proof);
    await proof.check(this.exchange.request);
    lease.confirm();
  }

  /**
   * Takes in as much as a buffer can hold. When that is all of the body, it is verified and then written.
   * When more may come, what is there goes on its way.
   * @returns whether that was all
   */
  async #writeIfShort(proof: BodyProof): Promise<boolean> {
    const { lease, buffers, endBytes } = this.options;
    const lengthBytes = endBytes - this.#offsetBytes;
    if (!this.#isChunked && lengthBytes > this.options.pool.bufferBytes) {
      lease.holdBack();
      return false;
    }
    const buffer = lengthBytes > 0 && (await this.#body.arrival()) ? await buffers.take() : undefined;
    const data = buffer === undefined ? new Uint8Array() : await this.#fillWhole(buffer, lengthBytes);
    const isAll = data.length === lengthBytes || !(await this.#body.arrival());
    if (!isAll) {
      lease.holdBack();
      if (buffer !== undefined) this.#write(buffer, data, proof);
      return false;
    }
    await this.#verifyAndWrite(buffer, data, proof);
    return true;
  }

  async #verifyAndWrite(buffer: Uint8Array | undefined, data: Uint8Array, proof: BodyProof): Promise<void> {
    const { lease, buffers, endBytes } = this.options;
    await this.#finishBody(this.#offsetBytes + data.length === endBytes);
    if (data.length > 0) await proof.update(data);
    await proof.check(this.exchange.request);
    lease.signal.throwIfAborted();
    if (buffer !== undefined) this.#write(buffer, data);
    await buffers.settled();
    await this.options.recorder?.settled();
  }

  /** @returns what came until the buffer was full or the body over */
  async #fillWhole(buffer: Uint8Array, lengthBytes: number): Promise<Uint8Array> {
    const { lease, buffers } = this.options;
    const target = this.#targetIn(buffer, Math.min(lengthBytes, buffer.length - 2 * blockSlackBytes));
    let filledBytes = 0;
    buffers.onStall = this.#stallCheck(buffer, () => filledBytes);
    while (filledBytes < target.length && (await this.#body.arrival())) {
      filledBytes += await this.#body.fill(target.subarray(filledBytes));
      lease.moved();
    }
    buffers.onStall = neverStalled;
    return target.subarray(0, filledBytes);
  }

  /** Ends the transfer of a client that sends nothing while others wait for the buffer that it keeps. */
  #stallCheck(buffer: Uint8Array, filledBytes: () => number): () => boolean {
    const { pool } = this.options;
    let seen = { bytes: -1, at: 0 };
    return () => {
      const now = performance.now();
      if (filledBytes() !== seen.bytes) seen = { bytes: filledBytes(), at: now };
      if (now - seen.at < pool.stallSeconds * 1000 || !pool.isWanted(buffer)) return false;
      const text = `Client sent nothing for ${pool.stallSeconds} seconds while others waited for its buffer`;
      this.exchange.abort(new ClientTimeoutError(text));
      return true;
    };
  }

  #targetIn(buffer: Uint8Array, lengthBytes: number): Uint8Array {
    const skew = this.#offsetBytes % pageBytes;
    return buffer.subarray(skew, skew + lengthBytes);
  }

  /** Begins to write `data`, which lies in `buffer` and is the next of the body, and to hash it. */
  #write(buffer: Uint8Array, data: Uint8Array, proof?: BodyProof): void {
    const { backend, lease, buffers, recorder } = this.options;
    const startBytes = this.#offsetBytes;
    let writtenBytes = 0;
    const written = lease.change({ offsetBytes: startBytes, lengthBytes: data.length }, (part) => {
      const at = part.offsetBytes - startBytes;
      writtenBytes += part.lengthBytes;
      return backend.write(data.subarray(at, at + part.lengthBytes), part.offsetBytes);
    });
    const uses: Promise<unknown>[] = [written];
    if (recorder !== undefined) {
      const isWhole = written.then(
        () => writtenBytes === data.length,
        () => false,
      );
      uses.push(recorder.add(data, startBytes, isWhole));
    }
    if (proof !== undefined) uses.push(proof.update(data));
    buffers.use(buffer, uses.length === 1 ? written : allSettled(uses));
    this.#offsetBytes += data.length;
  }

  /** After the last byte that may be written: the body must end here too. */
  async #finishBody(isFull: boolean): Promise<void> {
    if (isFull && this.#isChunked && (await this.#body.arrival())) throw bodyBeyondTicket();
    if (this.#body.broken !== undefined) throw this.#body.broken;
    if (!isFull && !this.#isChunked) throw new DamagedBodyError('Request body is shorter than promised');
  }
}

function neverStalled(): boolean {
  return false;
}

/** Settles when neither storage nor threads use the memory any more. @throws what one of them failed with */
async function allSettled(steps: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(steps);
  await Promise.all(steps);
}
