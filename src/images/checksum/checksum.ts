import { createBlockHash } from './block-hash.js';
import { blockDigests, type BlockDigestsOptions, type DigestRun } from './block-digests.js';

export interface ChecksumOptions extends BlockDigestsOptions {
  /** Told of all blocks in the order of the image. */
  readonly onRun?: ((run: DigestRun) => void) | undefined;
}

/**
 * How many digests of zero blocks go into the outer hash at once, before other work of the process gets its
 * turn. A sparse image of 8 TiB has millions: one by one they took 13 s of the event loop, so they take a
 * quarter of a second.
 */
const zeroDigestsPerTurn = 1024;

/**
 * The checksum of an image: the hash of the concatenated digests of its blocks, in hex (docs/protocol.md,
 * "Checksum").
 * @throws what `blockDigests` throws
 */
export async function computeChecksum(options: ChecksumOptions): Promise<string> {
  const { algorithm, signal, onRun } = options;
  const outer = await createBlockHash(algorithm);
  for await (const run of blockDigests(options)) {
    const { count, digest } = run;
    const digests = repeated(digest, Math.min(count, zeroDigestsPerTurn));
    for (let left = count; left > 0; left -= zeroDigestsPerTurn) {
      outer.update(digests.subarray(0, left * digest.length));
      if (left <= zeroDigestsPerTurn) break;
      await new Promise(setImmediate);
      signal?.throwIfAborted();
    }
    onRun?.(run);
  }
  return Buffer.from(outer.digest()).toString('hex');
}

function repeated(bytes: Uint8Array, count: number): Uint8Array {
  if (count === 1) return bytes;
  const all = new Uint8Array(bytes.length * count);
  for (let index = 0; index < count; index += 1) all.set(bytes, index * bytes.length);
  return all;
}
