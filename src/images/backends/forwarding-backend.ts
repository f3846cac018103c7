import type { ByteRange } from '../../base/units.js';
import type {
  Backend,
  BlockDigest,
  BlockDigestsRequest,
  DirectReads,
  Extent,
  ExtentContext,
  StorageRoom,
} from './backend.js';

/**
 * Passes every call on to `backend`, for those that add something to some of them. Of the image it holds
 * nothing itself: `backend` opens and closes it.
 */
export class ForwardingBackend implements Backend {
  constructor(protected readonly backend: Backend) {}

  get kind(): string {
    return this.backend.kind;
  }

  get identity(): string {
    return this.backend.identity;
  }

  get place(): string {
    return this.backend.place;
  }

  get incarnation(): number | undefined {
    return this.backend.incarnation;
  }

  get readersMax(): number {
    return this.backend.readersMax;
  }

  get writersMax(): number {
    return this.backend.writersMax;
  }

  get inFlightMax(): number {
    return this.backend.inFlightMax;
  }

  get growable(): boolean {
    return this.backend.growable;
  }

  get canDirtyExtents(): boolean {
    return this.backend.canDirtyExtents;
  }

  get directReads(): DirectReads | undefined {
    return this.backend.directReads;
  }

  get blockSizeBytes(): number {
    return this.backend.blockSizeBytes;
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
    return this.backend.write(source, offsetBytes);
  }

  zero(range: ByteRange, options: { readonly sparse: boolean }): Promise<void> {
    return this.backend.zero(range, options);
  }

  flush(): Promise<void> {
    return this.backend.flush();
  }

  extents(context: ExtentContext, range?: ByteRange): AsyncIterable<readonly Extent[]> {
    return this.backend.extents(context, range);
  }

  blockDigests(request: BlockDigestsRequest): AsyncIterable<BlockDigest> | undefined {
    return this.backend.blockDigests(request);
  }

  abandon(): void {
    this.backend.abandon();
  }

  close(): Promise<void> {
    return this.backend.close();
  }
}
