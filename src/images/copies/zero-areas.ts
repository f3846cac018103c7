import type { ByteRange } from '../../base/units.js';
import type { Extent } from '../backends/backend.js';

/**
 * Where an image reads as zeroes, asked in ascending order while its extents are listed. So nothing of the
 * list has to be kept, however long it is.
 */
export class ZeroAreas {
  readonly #lists: AsyncIterator<readonly Extent[]>;
  #list: readonly Extent[] = [];
  #index = 0;

  /** @param lists of the whole image, in order */
  constructor(lists: AsyncIterable<readonly Extent[]>) {
    this.#lists = lists[Symbol.asyncIterator]();
  }

  /**
   * The parts of `range`, and whether each is known to read as zeroes: what is past the end of the image is
   * not. No range that begins before this one may be asked for any more.
   */
  async *split({ offsetBytes, lengthBytes }: ByteRange): AsyncGenerator<ByteRange & { zero: boolean }> {
    const endBytes = offsetBytes + lengthBytes;
    for (let at = offsetBytes; at < endBytes;) {
      const extent = await this.#at(at);
      const end = extent === undefined ? endBytes : Math.min(extent.start + extent.length, endBytes);
      yield { offsetBytes: at, lengthBytes: end - at, zero: extent?.zero === true };
      at = end;
    }
  }

  async close(): Promise<void> {
    await this.#lists.return?.();
  }

  async #at(offsetBytes: number): Promise<Extent | undefined> {
    for (;;) {
      const extent = this.#list[this.#index];
      if (extent === undefined) {
        const next = await this.#lists.next();
        if (next.done === true) return undefined;
        this.#list = next.value;
        this.#index = 0;
      } else if (extent.start + extent.length <= offsetBytes) this.#index += 1;
      else return extent;
    }
  }
}
