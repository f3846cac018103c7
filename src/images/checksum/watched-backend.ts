import type { ByteRange } from '../../base/units.js';
import type { Backend } from '../backends/backend.js';
import { ForwardingBackend } from '../backends/forwarding-backend.js';
import type { ImageDigests } from './kept-digests.js';

/** Has the digests forgotten of what one operation changes by it. */
export class WatchedBackend extends ForwardingBackend {
  constructor(
    backend: Backend,
    private readonly image: ImageDigests | undefined,
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
      this.image?.forgetAll();
      throw error;
    }
  }

  #change(range: ByteRange, change: () => Promise<void>): Promise<void> {
    return this.image === undefined ? change() : this.image.change(range, this, change);
  }
}
