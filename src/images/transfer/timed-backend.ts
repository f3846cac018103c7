import type { BusyTime } from '../../base/busy-time.js';
import type { ByteRange } from '../../base/units.js';
import type { Backend, Extent, ExtentContext, StorageRoom } from '../backends/backend.js';
import { ForwardingBackend } from '../backends/forwarding-backend.js';

/**
 * Adds how long the calls to `backend` take to `time`, which belongs to one operation.
 */
export class TimedBackend extends ForwardingBackend {
  constructor(
    backend: Backend,
    private readonly time: BusyTime,
  ) {
    super(backend);
  }

  override room(): Promise<StorageRoom> {
    return this.time.during(() => super.room());
  }

  override sizeBytes(enoughBytes?: number): Promise<number> {
    return this.time.during(() => super.sizeBytes(enoughBytes));
  }

  override read(buffer: Uint8Array, range: ByteRange): Promise<Uint8Array> {
    return this.time.during(() => super.read(buffer, range));
  }

  override write(source: Uint8Array, offsetBytes: number): Promise<void> {
    return this.time.during(() => super.write(source, offsetBytes));
  }

  override zero(range: ByteRange, options: { readonly sparse: boolean }): Promise<void> {
    return this.time.during(() => super.zero(range, options));
  }

  override flush(): Promise<void> {
    return this.time.during(() => super.flush());
  }

  override async *extents(context: ExtentContext, range?: ByteRange): AsyncGenerator<readonly Extent[]> {
    // While the caller works on a list, storage is not waited for, so the clock stands still.
    this.time.enter();
    try {
      for await (const list of super.extents(context, range)) {
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
}
