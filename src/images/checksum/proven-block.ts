import type { ByteRange } from '../../base/units.js';
import type { Digests } from '../../wire/headers/content-digest.js';
import { isBlockSize } from './block-size.js';
import type { BlockRecorder } from './block-recorder.js';
import type { BlockHashing } from './digest-series.js';
import { hashNames } from './body-proof.js';
import type { Observation } from './observation.js';
import type { OperationDigests } from './operation-digests.js';

/** What a client has said of an upload that is one whole block. */
export interface ClaimedDigest extends BlockHashing {
  readonly digest: Uint8Array;
}

/** Keeps the digests that came along with an upload of one whole block, once they were found to be right. */
export class ProvenBlock implements BlockRecorder {
  readonly #observation: Observation;
  readonly #written: Promise<boolean>[] = [];

  /** To be made before anything of `range`, which is all of the block, is written. */
  constructor(
    private readonly digests: OperationDigests,
    range: ByteRange,
    private readonly claims: readonly ClaimedDigest[],
  ) {
    this.#observation = digests.observeWritten(range);
  }

  add(_data: Uint8Array, _offsetBytes: number, written: Promise<boolean>): Promise<void> {
    this.#written.push(written);
    return Promise.resolve();
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  /** All of the body has come and is what was claimed. */
  async proven(): Promise<void> {
    const written = await Promise.all(this.#written);
    if (!written.every(Boolean)) return;
    for (const { digest, ...hashing } of this.claims) this.digests.keep(this.#observation, hashing, digest);
  }

  end(): Promise<void> {
    this.#observation.end();
    return Promise.resolve();
  }
}

/**
 * What the digests of a body say of the blocks of an image: those of a body of the length of a block, where
 * one begins, and those of the rest at the end of the image, in blocks that are known already.
 * @param sizeBytes of the image
 */
export function claimedDigests(
  { offsetBytes, lengthBytes }: ByteRange,
  inHead: Digests,
  digests: OperationDigests,
  sizeBytes: number,
): ClaimedDigest[] {
  const isLast = offsetBytes + lengthBytes === sizeBytes;
  return [...inHead].flatMap(([name, digest]) => {
    const algorithm = hashNames[name];
    const isWhole = isBlockSize(lengthBytes) && offsetBytes % lengthBytes === 0;
    const whole = isWhole && digests.hasRoom({ algorithm, blockSizeBytes: lengthBytes }) ? [lengthBytes] : [];
    const ends = isLast
      ? digests.blockSizes(algorithm).filter((bytes) => lengthBytes < bytes && offsetBytes % bytes === 0)
      : [];
    return [...whole, ...ends].map((blockSizeBytes) => ({ algorithm, blockSizeBytes, digest }));
  });
}
