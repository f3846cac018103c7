import { NotFoundError } from '../../base/errors.js';
import type { ByteRange } from '../../base/units.js';
import type { DigestRun } from './block-digests.js';

export interface DigestTableLayout {
  /** What the blocks are cut from; begins with a block. */
  readonly range: ByteRange;
  readonly blockSizeBytes: number;
  /** Of one digest. */
  readonly digestBytes: number;
}

/** Follows each digest: whether its block is zero. */
const flagBytes = 1;

/**
 * The digests of all blocks of a range, as bytes one after the other: a million of them as objects would take
 * seven times the memory.
 */
export class DigestTable {
  /** How many blocks the range has. */
  readonly count: number;
  /** What it takes of memory, which the system gives only as digests come. */
  readonly bytes: number;
  #memory: Buffer | undefined;

  constructor(private readonly layout: DigestTableLayout) {
    this.count = Math.ceil(layout.range.lengthBytes / layout.blockSizeBytes);
    this.bytes = this.count * (layout.digestBytes + flagBytes);
  }

  allocate(): void {
    this.#memory = Buffer.alloc(this.bytes);
  }

  /** Idempotent. */
  free(): void {
    this.#memory = undefined;
  }

  /** @throws NotFoundError when it was given up */
  set({ offsetBytes, count, digest, zero }: DigestRun): void {
    const memory = this.#bytes();
    const first = this.#indexOf(offsetBytes);
    for (let index = first; index < first + count; index += 1) {
      const at = index * this.#stride;
      memory.set(digest, at);
      memory[at + this.layout.digestBytes] = zero ? 1 : 0;
    }
  }

  /**
   * All of them, in order.
   * @throws NotFoundError when it is given up meanwhile
   */
  *runs(): Generator<DigestRun> {
    const { range, blockSizeBytes, digestBytes } = this.layout;
    const endBytes = range.offsetBytes + range.lengthBytes;
    for (let index = 0; index < this.count; index += 1) {
      const memory = this.#bytes();
      const at = index * this.#stride;
      const offsetBytes = range.offsetBytes + index * blockSizeBytes;
      yield {
        offsetBytes,
        blockBytes: Math.min(blockSizeBytes, endBytes - offsetBytes),
        count: 1,
        zero: memory[at + digestBytes] === 1,
        digest: memory.subarray(at, at + digestBytes),
      };
    }
  }

  get #stride(): number {
    return this.layout.digestBytes + flagBytes;
  }

  #indexOf(offsetBytes: number): number {
    const { range, blockSizeBytes } = this.layout;
    return (offsetBytes - range.offsetBytes) / blockSizeBytes;
  }

  #bytes(): Buffer {
    if (this.#memory === undefined) throw new NotFoundError('The digests of this job are gone');
    return this.#memory;
  }
}
