import type { ByteRange } from '#sdk/transfer';
import type { DiskExtent, DurableRanges, WritableDisk } from '#sdk/transfer';

const zeroes = new Uint8Array(2 ** 20);

/**
 * A file that the user has chosen to be written. The browser writes beside it, and puts all in its place at
 * the end.
 */
export class SavedFile implements WritableDisk {
  readonly growable = false;

  private constructor(
    private readonly stream: FileSystemWritableFileStream,
    readonly sizeBytes: number,
  ) {}

  static async create(handle: FileSystemFileHandle, sizeBytes: number): Promise<SavedFile> {
    const stream = await handle.createWritable();
    await stream.truncate(sizeBytes);
    return new SavedFile(stream, sizeBytes);
  }

  /** There is nothing in it yet. */
  async *extents(): AsyncGenerator<DiskExtent> {
    if (this.sizeBytes > 0) yield { offsetBytes: 0, lengthBytes: this.sizeBytes, zero: true };
  }

  async read(): Promise<void> {
    throw new Error('A file that is being saved cannot be read before it is whole');
  }

  async write(data: Uint8Array, offsetBytes: number): Promise<void> {
    await this.stream.write({ type: 'write', position: offsetBytes, data: data as Uint8Array<ArrayBuffer> });
  }

  async zero({ offsetBytes, lengthBytes }: ByteRange): Promise<void> {
    for (let done = 0; done < lengthBytes; done += zeroes.length)
      await this.write(zeroes.subarray(0, Math.min(zeroes.length, lengthBytes - done)), offsetBytes + done);
  }

  async flush(): Promise<void> {
    // The browser does so when the file is put in its place.
  }

  async durable(): Promise<DurableRanges | undefined> {
    return undefined;
  }

  /** Puts it in its place. @throws DOMException, when the disk is full for example */
  async close(): Promise<void> {
    await this.stream.close();
  }

  /** Leaves what was there before. */
  async discard(): Promise<void> {
    await this.stream.abort();
  }
}
