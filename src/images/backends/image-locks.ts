import assert from 'node:assert/strict';

import { RangeLock } from './range-lock.js';

/**
 * One lock for each image that is open in this process: two connections, even under two tickets or by two
 * names, may have the same image open, and their writes must respect each other.
 */
export class ImageLocks {
  readonly #images = new Map<string, { readonly lock: RangeLock; holders: number }>();

  /** @param key the same whenever it is the same image */
  enter(key: string): RangeLock {
    let image = this.#images.get(key);
    if (image === undefined) {
      image = { lock: new RangeLock(), holders: 0 };
      this.#images.set(key, image);
    }
    image.holders += 1;
    return image.lock;
  }

  /** Once for each `enter`; the last one forgets the image. */
  leave(key: string): void {
    const image = this.#images.get(key);
    assert.ok(image !== undefined, 'an image is left that nobody has entered');
    image.holders -= 1;
    if (image.holders === 0) {
      this.#images.delete(key);
    }
  }

  get count(): number {
    return this.#images.size;
  }
}
