import type { DigestRun } from './block-digests.js';
import type { UploadedBlock } from './digest-series.js';

/** Finds the first block of an image that is not what its ticket has uploaded to it. */
export class UploadComparison {
  #next = 0;
  #firstDifferenceBytes: number | undefined;

  /** @param uploaded in the order of the image */
  constructor(private readonly uploaded: readonly UploadedBlock[]) {}

  /** The first byte of that block, as far as the runs have been seen; undefined when none is known. */
  get firstDifferenceBytes(): number | undefined {
    return this.#firstDifferenceBytes;
  }

  /** To be called for all runs in the order of the image. */
  see({ offsetBytes, blockBytes, count, digest }: DigestRun): void {
    const endBytes = offsetBytes + blockBytes * count;
    for (;;) {
      const block = this.uploaded[this.#next];
      if (block === undefined || block.offsetBytes >= endBytes) return;
      this.#next += 1;
      const isEqual = block.lengthBytes === blockBytes && Buffer.compare(block.digest, digest) === 0;
      if (!isEqual) this.#firstDifferenceBytes ??= block.offsetBytes;
    }
  }
}
