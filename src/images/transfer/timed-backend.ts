import type { BusyTime } from '../../base/busy-time.js';
import type { ByteRange } from '../../base/units.js';
import type { Backend, Extent, ExtentContext, StorageRoom } from '../backends/backend.js';

/**
 * Passes every call on to `backend` and adds how long it took to `time`, which belongs to one operation. Of
 * the image it holds nothing itself: `backend` opens and closes it.
 */
export class TimedBackend implements Backend {
  constructor(
    private readonly backend: Backend,
    private readonly time: BusyTime,
  ) {}

  get kind(): string {
    return this.backend.kind;
  }

  get identity(): string | undefined {
    return this.backend.identity;
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

  get blockSizeBytes(): number {
    return this.backend.blockSizeBytes;
  }

  room(): Promise<StorageRoom> {
    return this.time.during(() => this.backend.room());
  }

  sizeBytes(enoughBytes?: number): Promise<number> {
    return this.time.during(() => this.backend.sizeBytes(enoughBytes));
  }

  read(buffer: Uint8Array, range: ByteRange): Promise<Uint8Array> {
    return this.time.during(() => this.backend.read(buffer, range));
  }

  write(source: Uint8Array, offsetBytes: number): Promise<void> {
    return this.time.during(() => this.backend.write(source, offsetBytes));
  }

  zero(range: ByteRange, options: { readonly sparse: boolean }): Promise<void> {
    return this.time.during(() => this.backend.zero(range, options));
  }

  flush(): Promise<void> {
    return this.time.during(() => this.backend.flush());
  }

  async *extents(context: ExtentContext, range?: ByteRange): AsyncGenerator<readonly Extent[]> {
    // While the caller works on a list, storage is not waited for, so the clock stands still.
    this.time.enter();
    try {
      for await (const list of this.backend.extents(context, range)) {
        this.time.leave();
        try {
          yield list;
        } finally {
          this.time.enter();
        }
      }
    } finally {
      this.time.leave();
    }
  }

  abandon(): void {
    this.backend.abandon();
  }

  close(): Promise<void> {
    return this.backend.close();
  }
}
