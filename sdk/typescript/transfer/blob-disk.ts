import type { DiskExtent, ReadableDisk } from './disk.js';

/** A file that a browser gave, which does not tell where it has holes. */
export class BlobDisk implements ReadableDisk {
  readonly sizeBytes: number;

  constructor(private readonly blob: Blob) {
    this.sizeBytes = blob.size;
  }

  async *extents(): AsyncGenerator<DiskExtent> {
    if (this.sizeBytes > 0) yield { offsetBytes: 0, lengthBytes: this.sizeBytes, zero: false };
  }

  async read(target: Uint8Array, offsetBytes: number): Promise<void> {
    const part = await this.blob.slice(offsetBytes, offsetBytes + target.length).arrayBuffer();
    if (part.byteLength < target.length) throw new Error('The file is shorter than it was');
    target.set(new Uint8Array(part));
  }

  async close(): Promise<void> {
    // There is nothing open.
  }
}
