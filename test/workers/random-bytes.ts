import { createCipheriv } from 'node:crypto';
import type { SeededRandom } from '../support/random.js';

/** Bytes that only the seed decides. */
export function randomBytes(random: SeededRandom, lengthBytes: number): Buffer {
  const key = Buffer.from(Array.from({ length: 16 }, () => random.below(256)));
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes));
}
