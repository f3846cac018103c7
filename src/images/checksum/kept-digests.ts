import type { Backend } from '../backends/backend.js';
import { DigestStatistics } from './digest-statistics.js';
import { ImageDigests } from './image-digests.js';
import { KeptBlocks } from './kept-blocks.js';

/**
 * The digests of blocks that are known, so that nobody reads them again (docs/protocol.md, "Kept digests").
 * They belong to a ticket and end with it. What any ticket of this service is about to change of an image is
 * forgotten, and what was being hashed meanwhile is not kept. All that changes an image has to go through a
 * `WatchedBackend`.
 */
export class KeptDigests {
  readonly statistics = new DigestStatistics();
  readonly #images = new Map<string, ImageDigests>();
  readonly #blocks: KeptBlocks;

  /** @param countMax digests of all tickets */
  constructor(readonly countMax: number) {
    this.#blocks = new KeptBlocks(countMax);
  }

  /** How many blocks something is known of. */
  get count(): number {
    return this.#blocks.count;
  }

  /** How many bytes of images need not be read, as long as nothing changes them. */
  get coveredBytes(): number {
    return this.#blocks.coveredBytes;
  }

  /**
   * What is known of the image, to be released by the operation that asks: all operations on an image hear of
   * each other's changes by having the same one.
   */
  image({ identity }: Pick<Backend, 'identity'>): ImageDigests {
    let image = this.#images.get(identity);
    if (image === undefined) {
      image = new ImageDigests(this.#blocks, () => this.#images.delete(identity));
      this.#images.set(identity, image);
    }
    image.hold();
    return image;
  }

  /** Nothing is kept for the ticket any more. @param owner as it was given to the images */
  forgetOwner(owner: string): void {
    for (const image of this.#images.values()) image.forgetOwner(owner);
  }
}
