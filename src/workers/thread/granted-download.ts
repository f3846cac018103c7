import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { BusyTime } from '../../base/busy-time.js';
import { systemClock } from '../../base/clock.js';
import { ClientGoneError } from '../../base/errors.js';
import type { ByteRange } from '../../base/units.js';
import { BlockIo } from '../../images/backends/file/block-io.js';
import { BounceBuffers } from '../../images/backends/file/bounce-buffers.js';
import { blockSlackBytes } from '../../images/buffers/aligned-memory.js';
import { smallBufferBytes } from '../../images/buffers/buffer-pool.js';
import type { GrantedImage } from '../messages.js';
import { downloadHead } from './download-head.js';
import type { DownloadClient, DownloadMeans } from './download-means.js';
import type { PlainGet } from './plain-get.js';
import type { RequestRecord } from './reports.js';

/** Two overlap storage and network. */
const buffersMax = 2;

/** So much of the buffers may be in use until each download has to do with one. */
const fewPart = 1 / 4;

/** How soon it is looked again whether the main thread has read a full ledger. */
const fullLedgerMilliseconds = 1;

/** A piece of the part that is being read. */
interface Reading {
  readonly piece: ByteRange;
  readonly data: Promise<Uint8Array>;
  /** Begins to read the piece after it. */
  readonly next: () => Reading | undefined;
}

/** Never used: a thread only reads. */
const noBounce = new BounceBuffers();

/**
 * One plain GET that is answered without the main thread. Whatever it cannot do as the main thread would, it
 * leaves to that, as long as nothing was sent: no buffer is free, storage fails, the image is shorter.
 */
export class GrantedDownload {
  readonly #io: BlockIo;
  readonly #part: ByteRange;
  readonly #requestId: string;
  readonly #backendTime = new BusyTime();
  readonly #clientTime = new BusyTime();
  readonly #startedAt = performance.now();
  #isReading = false;
  #headSent = false;
  /** There is room for the head before the first piece. */
  #hasHeadRoom = false;
  #sentBytes = 0;

  constructor(
    private readonly means: DownloadMeans,
    private readonly client: DownloadClient,
    private readonly image: GrantedImage,
    private readonly asked: PlainGet,
  ) {
    this.#io = new BlockIo(image.fd, image.blockSizeBytes, noBounce);
    const { firstByte, lastByte } = asked.range ?? { firstByte: 0, lastByte: image.sizeBytes - 1 };
    this.#part = { offsetBytes: firstByte, lengthBytes: lastByte - firstByte + 1 };
    this.#requestId = asked.requestId ?? randomUUID();
  }

  /** Whether a thread may answer it; everything else is the main thread's to judge. */
  static isFor(image: GrantedImage, { range }: PlainGet): boolean {
    // A ticket may be larger than its image, and then a whole image is answered in another way.
    if (range === undefined) return image.sizeBytes > 0 && String(image.sizeBytes) === image.totalBytes;
    return range.firstByte <= range.lastByte && range.lastByte < image.sizeBytes;
  }

  /** Of the grant that it reads by. */
  get grantNumber(): number {
    return this.image.grant.number;
  }

  /** Its head has left. */
  get hasBegun(): boolean {
    return this.#headSent;
  }

  /** Once the last of it is read nobody has to wait for it any more. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** @returns false when nothing was done and the main thread is to answer */
  async run(): Promise<boolean> {
    const { cells } = this.means;
    const { grant } = this.image;
    this.#isReading = true;
    try {
      return cells.enter(grant) && (await this.#answer());
    } finally {
      this.#endReading();
      cells.endAnswering(grant);
    }
  }

  readonly #endReading = (): void => {
    if (!this.#isReading) return;
    this.#isReading = false;
    const { cells, tell } = this.means;
    const { grant } = this.image;
    if (cells.endReading(grant)) tell({ kind: 'left', cell: grant.cell });
  };

  async #answer(): Promise<boolean> {
    const buffers = this.#takeBuffers();
    if (buffers.length === 0) return false;
    const complete = await this.#send(buffers).catch(() => false);
    for (const buffer of buffers) this.means.pool.release(buffer);
    this.means.counts.show(this.means.pool);
    if (!complete && !this.#headSent) return false;
    if (!complete) this.client.destroy();
    this.#report(complete);
    return true;
  }

  /** One or two, or none when there is none. */
  #takeBuffers(): Uint8Array[] {
    const { pool } = this.means;
    const { lengthBytes } = this.#part;
    const size = lengthBytes <= smallBufferBytes ? 'small' : 'large';
    const count = size === 'small' || lengthBytes <= pool.bufferBytes ? 1 : buffersMax;
    const buffers: Uint8Array[] = [];
    while (buffers.length < count) {
      // With many downloads it is better that each has one.
      const { inUse, countMax } = pool.statistics()[size];
      if (buffers.length > 0 && inUse > countMax * fewPart) break;
      const buffer = pool.tryAcquire(size, this.image);
      if (buffer === undefined) break;
      buffers.push(buffer);
    }
    this.means.counts.show(pool);
    return buffers;
  }

  /** @returns false when it had to stop. @throws what storage fails with, ClientGoneError */
  async #send(buffers: readonly Uint8Array[]): Promise<boolean> {
    let reading: Reading | undefined = this.#read(buffers, 0, this.#part.offsetBytes);
    try {
      while (reading !== undefined) {
        const { piece, data: arriving, next }: Reading = reading;
        const data = await this.#backendTime.during(() => arriving);
        reading = undefined;
        // Somebody has cut the image, or the grant was taken back.
        if (data.length < piece.lengthBytes || this.means.cells.isRevoked(this.image.grant)) return false;
        if (buffers.length > 1) reading = next();
        await this.#account(piece);
        await this.#sendPiece(data, this.#isLast(piece));
        if (buffers.length === 1) reading = next();
      }
      return true;
    } finally {
      // The buffer is in use until the read has ended, however that is.
      await reading?.data.catch(() => undefined);
    }
  }

  /** @returns undefined at the end of the part */
  #read(buffers: readonly Uint8Array[], index: number, offsetBytes: number): Reading | undefined {
    const piece = this.#pieceAt(offsetBytes);
    const buffer = buffers[index % buffers.length];
    if (piece === undefined || buffer === undefined) return undefined;
    return {
      piece,
      data: this.#readInto(buffer, piece),
      next: () => this.#read(buffers, index + 1, offsetBytes + piece.lengthBytes),
    };
  }

  /** They end at multiples of what a buffer holds, so that only the first and the last can be unaligned. */
  #pieceAt(offsetBytes: number): ByteRange | undefined {
    const { bufferBytes } = this.means.pool;
    const restBytes = this.#part.offsetBytes + this.#part.lengthBytes - offsetBytes;
    if (restBytes === 0) return undefined;
    const isShort = this.#part.lengthBytes <= smallBufferBytes;
    const lengthBytes = isShort ? restBytes : Math.min(bufferBytes - (offsetBytes % bufferBytes), restBytes);
    return { offsetBytes, lengthBytes };
  }

  #readInto(buffer: Uint8Array, piece: ByteRange): Promise<Uint8Array> {
    const { offsetBytes, lengthBytes } = piece;
    const blocksBytes = this.#io.ceil(offsetBytes + lengthBytes) - this.#io.floor(offsetBytes);
    // The head goes right before the data, so that both leave together.
    const hasRoom = blocksBytes <= buffer.length - blockSlackBytes;
    if (offsetBytes === this.#part.offsetBytes) this.#hasHeadRoom = hasRoom;
    const reading = this.#io.read(hasRoom ? buffer.subarray(blockSlackBytes) : buffer, piece);
    // Whoever waits for it may have stopped before.
    reading.catch(() => undefined);
    return reading;
  }

  /** Before it is sent: who has the answer and asks for the ticket is told of it. */
  async #account({ offsetBytes, lengthBytes }: ByteRange): Promise<void> {
    const { ledger, tell } = this.means;
    while (ledger.isFull) await delay(fullLedgerMilliseconds);
    const atSeconds = systemClock.monotonicSeconds();
    ledger.add({ cell: this.image.grant.cell, offsetBytes, lengthBytes, atSeconds });
    if (ledger.isHalfFull) tell({ kind: 'ledger' });
  }

  #isLast({ offsetBytes, lengthBytes }: ByteRange): boolean {
    return offsetBytes + lengthBytes === this.#part.offsetBytes + this.#part.lengthBytes;
  }

  async #sendPiece(data: Uint8Array, isLast: boolean): Promise<void> {
    const { client } = this;
    if (client.closed) throw new ClientGoneError();
    const bytes = this.#headSent ? data : this.#withHead(data);
    this.#headSent = true;
    await this.#clientTime.during(async () => {
      // Whoever has all of it may ask for the ticket, and is not to be told that it is in use.
      await client.send(bytes, isLast ? this.#endReading : undefined);
    });
    this.#sentBytes += data.length;
  }

  /** The data with its head before it, in one piece where there is room in the buffer. */
  #withHead(data: Uint8Array): Uint8Array {
    const head = downloadHead(this.image, this.#part, {
      requestId: this.#requestId,
      isPartial: this.asked.range !== undefined,
    });
    if (!this.#hasHeadRoom) return Buffer.concat([Buffer.from(head, 'latin1'), data]);
    const bytes = Buffer.from(data.buffer, data.byteOffset - head.length, head.length + data.length);
    bytes.write(head, 'latin1');
    return bytes;
  }

  #report(complete: boolean): void {
    const status = this.asked.range === undefined ? 200 : 206;
    const totalSeconds = (performance.now() - this.#startedAt) / 1000;
    const backendSeconds = this.#backendTime.seconds;
    const clientSeconds = this.#clientTime.seconds;
    const { lengthBytes, offsetBytes } = this.#part;
    this.means.reports.add(
      { lengthBytes: this.#sentBytes, status, totalSeconds, backendSeconds, clientSeconds },
      (): RequestRecord => ({
        request_id: this.#requestId,
        listener: this.means.listener,
        client: this.client.address,
        method: 'GET',
        route: '/images/:id',
        transfer_id: this.image.transferId,
        operation: 'read',
        backend: 'file',
        offset: offsetBytes,
        length: lengthBytes,
        bytes: this.#sentBytes,
        backend_milliseconds: Math.round(backendSeconds * 1000),
        status,
        complete,
        milliseconds: Math.round(totalSeconds * 1000),
        client_milliseconds: Math.round(clientSeconds * 1000),
      }),
    );
  }
}
