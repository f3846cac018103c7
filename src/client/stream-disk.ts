import type { Readable, Writable } from 'node:stream';
import type { ByteRange, DiskExtent, ReadableDisk, WritableDisk } from '#sdk/transfer';
import { MiB } from '../base/units.js';

/** What comes in as a stream, to be read once and in order. What the disk has beyond its end is zero. */
export class InputDisk implements ReadableDisk {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Uint8Array = new Uint8Array(0);
  #turn: Promise<unknown> = Promise.resolve();
  #endBytes = 0;

  /** @param sizeBytes of the disk; more than that is not read */
  constructor(
    stream: Readable,
    readonly sizeBytes: number,
  ) {
    this.#chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  async *extents(): AsyncGenerator<DiskExtent> {
    if (this.sizeBytes > 0) yield { offsetBytes: 0, lengthBytes: this.sizeBytes, zero: false };
  }

  read(target: Uint8Array, offsetBytes: number): Promise<void> {
    const read = this.#turn.then(() => this.#fill(target, offsetBytes));
    this.#turn = read.catch(() => undefined);
    return read;
  }

  /** @throws Error when more comes than the disk has: it was not moved */
  async end(): Promise<void> {
    const isMore = this.#rest.length > 0 || (await this.#chunks.next()).done !== true;
    await this.close();
    if (isMore) throw new Error(`The input has more than the ${this.sizeBytes} bytes of the image`);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(target: Uint8Array, offsetBytes: number): Promise<void> {
    if (offsetBytes !== this.#endBytes) throw new Error('A stream can be read only once and in order');
    let filledBytes = 0;
    while (filledBytes < target.length) {
      if (this.#rest.length === 0) {
        const next: IteratorResult<Buffer, unknown> = await this.#chunks.next();
        if (next.done === true) break;
        this.#rest = next.value;
      }
      const taken = this.#rest.subarray(0, target.length - filledBytes);
      target.set(taken, filledBytes);
      filledBytes += taken.length;
      this.#rest = this.#rest.subarray(taken.length);
    }
    target.fill(0, filledBytes);
    this.#endBytes += target.length;
  }
}

const zeroes = Buffer.alloc(MiB);

/** A stream that goes out, to be written in order: by one worker. */
export class OutputDisk implements WritableDisk {
  readonly growable = true;

  constructor(
    private readonly stream: Writable,
    readonly sizeBytes: number,
  ) {}

  async *extents(): AsyncGenerator<DiskExtent> {
    // Nothing is there, so zeroes are to be written as well.
    if (this.sizeBytes > 0) yield { offsetBytes: 0, lengthBytes: this.sizeBytes, zero: false };
  }

  async read(): Promise<void> {
    throw new Error('What goes out as a stream cannot be read again');
  }

  async write(data: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    this.stream.write(data, (error) => {
      if (error instanceof Error) reject(error);
      else resolve(undefined);
    });
    await promise;
  }

  async zero({ lengthBytes }: ByteRange): Promise<void> {
    for (let left = lengthBytes; left > 0; left -= zeroes.length)
      await this.write(zeroes.subarray(0, Math.min(left, zeroes.length)));
  }

  async flush(): Promise<void> {
    // `write` resolves when it is out.
  }

  async durable(): Promise<undefined> {
    return undefined;
  }

  async close(): Promise<void> {
    // It is not ours to end.
  }
}
