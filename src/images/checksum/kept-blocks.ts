import type { ByteRange } from '../../base/units.js';

/** What is known of a block under one ticket. It is forgotten when that is nothing any more. */
export interface KeptBlock {
  readonly range: ByteRange;
  readonly series: { forget(block: KeptBlock): void };
  /** What it holds, while storage is in this incarnation. */
  current: { readonly digest: Uint8Array; readonly incarnation: number } | undefined;
  /** What the ticket uploaded to it last, whatever others or storage have made of it since. */
  readonly uploaded: Uint8Array | undefined;
}

/** The blocks of all images of which something is known. The oldest make room for new ones. */
export class KeptBlocks {
  /** In the order in which they came. */
  readonly #blocks = new Set<KeptBlock>();
  #coveredBytes = 0;

  constructor(private readonly countMax: number) {}

  get count(): number {
    return this.#blocks.size;
  }

  /** Bytes of images that need not be read, as long as nothing changes them. */
  get coveredBytes(): number {
    return this.#coveredBytes;
  }

  add(block: KeptBlock): void {
    this.#blocks.add(block);
    if (block.current !== undefined) this.#coveredBytes += block.range.lengthBytes;
    for (const oldest of this.#blocks) {
      if (this.#blocks.size <= this.countMax) break;
      oldest.series.forget(oldest);
    }
  }

  /** Nobody knows what it holds. */
  doubt(block: KeptBlock): void {
    if (block.current !== undefined) this.#coveredBytes -= block.range.lengthBytes;
    block.current = undefined;
  }

  delete(block: KeptBlock): void {
    this.doubt(block);
    this.#blocks.delete(block);
  }
}
