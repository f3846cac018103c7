import type { ByteRange } from '../../base/units.js';
import type { Backend } from '../backends/backend.js';
import { ForwardingBackend } from '../backends/forwarding-backend.js';
import type { ImageDigests } from './image-digests.js';

/** Has the digests forgotten of what one operation changes by it. */
export class WatchedBackend extends ForwardingBackend {
  /** @param owner the id of the ticket that the operation is of */
  constructor(
    backend: Backend,
    private readonly image: ImageDigests,
    private readonly owner: string,
  ) {
    super(backend);
  }

  override write(source: Uint8Array, offsetBytes: number): Promise<void> {
    const range = { offsetBytes, lengthBytes: source.length };
    return this.#change(range, () => super.write(source, offsetBytes));
  }

  override zero(range: ByteRange, options: { readonly sparse: boolean }): Promise<void> {
    return this.#change(range, () => super.zero(range, options));
  }

  override async flush(): Promise<void> {
    try {
      await super.flush();
    } catch (error: unknown) {
      // The kernel drops what it could not write.
      this.image.doubtAll();
      throw error;
    }
  }

  #change(range: ByteRange, change: () => Promise<void>): Promise<void> {
    return this.image.change(range, { operation: this, owner: this.owner }, change);
  }
}
