import type { ByteRange } from '../../base/units.js';
import type { Backend, Extent, ExtentContext, StorageRoom } from '../backends/backend.js';
import type { ImageDigests } from './kept-digests.js';

/**
 * Passes every call of one operation on to `backend`, and has the digests of what it changes forgotten. Of
 * the image it holds nothing itself: `backend` opens and closes it.
 */
export class WatchedBackend implements Backend {
  readonly kind: string;
  readonly identity: string | undefined;
  readonly readersMax: number;
  readonly writersMax: number;
  readonly inFlightMax: number;
  readonly growable: boolean;
  readonly canDirtyExtents: boolean;
  readonly blockSizeBytes: number;

  constructor(
    private readonly backend: Backend,
    private readonly image: ImageDigests | undefined,
  ) {
    this.kind = backend.kind;
    this.identity = backend.identity;
    this.readersMax = backend.readersMax;
    this.writersMax = backend.writersMax;
    this.inFlightMax = backend.inFlightMax;
    this.growable = backend.growable;
    this.canDirtyExtents = backend.canDirtyExtents;
    this.blockSizeBytes = backend.blockSizeBytes;
  }

  room(): Promise<StorageRoom> {
    return this.backend.room();
  }

  sizeBytes(enoughBytes?: number): Promise<number> {
    return this.backend.sizeBytes(enoughBytes);
  }

  read(buffer: Uint8Array, range: ByteRange): Promise<Uint8Array> {
    return this.backend.read(buffer, range);
  }

  write(source: Uint8Array, offsetBytes: number): Promise<void> {
    const range = { offsetBytes, lengthBytes: source.length };
    return this.#change(range, () => this.backend.write(source, offsetBytes));
  }

  zero(range: ByteRange, options: { readonly sparse: boolean }): Promise<void> {
    return this.#change(range, () => this.backend.zero(range, options));
  }

  async flush(): Promise<void> {
    try {
      await this.backend.flush();
    } catch (error: unknown) {
      // The kernel drops what it could not write.
      this.image?.forgetAll();
      throw error;
    }
  }

  extents(context: ExtentContext, range?: ByteRange): AsyncIterable<readonly Extent[]> {
    return this.backend.extents(context, range);
  }

  abandon(): void {
    this.backend.abandon();
  }

  close(): Promise<void> {
    return this.backend.close();
  }

  #change(range: ByteRange, change: () => Promise<void>): Promise<void> {
    return this.image === undefined ? change() : this.image.change(range, this, change);
  }
}
