import { KiB } from '../../../base/units.js';
import { AlignedMemory } from '../../buffers/aligned-memory.js';

export const bounceBytes = 64 * KiB;

/**
 * Small aligned buffers for what cannot go straight between the caller's memory and the disk. Taking one
 * never waits: it is taken while a range lock and a buffer of the pool are held, so waiting here could
 * deadlock or let one hung storage stop the others. There are at most as many as writes in flight, and each
 * of those holds a buffer of the bounded pool.
 */
export class BounceBuffers {
  readonly #memory = new AlignedMemory();
  readonly #free: Uint8Array[] = [];

  /**
   * Runs `use` with a page-aligned buffer of `bounceBytes` that nobody else has
   * meanwhile. Its content is arbitrary.
   */
  async with<T>(use: (buffer: Uint8Array) => Promise<T>): Promise<T> {
    const buffer = this.#free.pop() ?? this.#memory.allocate(bounceBytes);
    try {
      return await use(buffer);
    } finally {
      this.#free.push(buffer);
    }
  }
}
