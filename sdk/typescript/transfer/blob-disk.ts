import { SourceChangedError } from './failure.js';
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
    const slice = this.blob.slice(offsetBytes, offsetBytes + target.length);
    const part = await slice.arrayBuffer().catch((error: unknown) => {
      // Browsers refuse to read a file that is not as it was when it was chosen.
      throw new SourceChangedError({ cause: error });
    });
    if (part.byteLength < target.length) throw new SourceChangedError();
    target.set(new Uint8Array(part));
    // Freed now: the collector would let dozens of them come together.
    part.transfer(0);
  }

  async close(): Promise<void> {
    // There is nothing open.
  }
}
