import { StorageError } from '../../base/errors.js';
import { MiB } from '../../base/units.js';
import { AlignedMemory } from '../buffers/aligned-memory.js';
import type { Backend, Extent } from '../backends/backend.js';
import type { BufferPool } from '../buffers/buffer-pool.js';
import { BufferSet } from '../transfer/buffer-set.js';
import type { Claimant } from '../buffers/fair-shares.js';
import { type BlockHash, createBlockHash } from './block-hash.js';
import { type BlockRun, blockRuns } from './block-runs.js';
import type { HashLane, HashWorkers } from './hash-workers.js';
import { Slots } from './slots.js';

export interface ChecksumOptions {
  readonly backend: Pick<Backend, 'read'>;
  /** The extents of what is to be summed, in order, without gaps, from the image's first byte on. */
  readonly extents: AsyncIterable<Extent> | Iterable<Extent>;
  /** One of `checksumAlgorithms`. */
  readonly algorithm: string;
  readonly blockSizeBytes: number;
  readonly pool: BufferPool;
  /** For whom the buffers are. */
  readonly claimant: Claimant;
  readonly workers: HashWorkers;
  /** Looked at before each read; what has been started ends first. */
  readonly signal?: AbortSignal | undefined;
  /** Called in order of the image with how many more bytes are done. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

/** Two blocks at once, each with one piece being read while another is hashed. */
const lanesMax = 2;
const buffersMax = 4;

/**
 * How many digests of zero blocks go into the outer hash at once, before other work of the process gets its
 * turn. A sparse image of 8 TiB has millions: one by one they took 13 s of the event loop, so they take a
 * quarter of a second.
 */
const zeroDigestsPerTurn = 1024;

/** What zero blocks are hashed from. Never changed. */
const zeroes = new AlignedMemory(MiB).allocate(MiB);

/**
 * The checksum of an image: the hash of the concatenated digests of its blocks, in hex (docs/protocol.md,
 * "Checksum"). Blocks that are zero by their extents are not read.
 * @throws StorageError when reading fails or the image is shorter than its extents; the
 *   signal's reason when it aborts
 */
export async function computeChecksum(options: ChecksumOptions): Promise<string> {
  const { pool, claimant, workers, algorithm, signal } = options;
  const outer = await createBlockHash(algorithm);
  // Borrowed only when there is data to read: blocks that are zero need none.
  const buffers = new BufferSet(pool, { claimant, lengthBytes: Infinity, countMax: buffersMax, signal });
  const lanes = Array.from({ length: lanesMax }, () => workers.openLane(algorithm));
  try {
    await new ChecksumRun(options, outer, buffers, new Slots(lanes)).hashAll();
    return Buffer.from(outer.digest()).toString('hex');
  } finally {
    for (const lane of lanes) {
      lane.close();
    }
    buffers.release();
  }
}

class ChecksumRun {
  readonly #running = new Set<Promise<unknown>>();
  readonly #zeroDigests = new Map<number, Uint8Array>();
  /** Settles when the digests of all blocks so far are in the outer hash. */
  #appended: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(
    private readonly options: ChecksumOptions,
    private readonly outer: BlockHash,
    private readonly buffers: BufferSet,
    private readonly lanes: Slots<HashLane>,
  ) {}

  async hashAll(): Promise<void> {
    try {
      for await (const run of blockRuns(this.options.extents, this.options.blockSizeBytes)) {
        this.options.signal?.throwIfAborted();
        if (run.zero) {
          await this.#appendZeroes(run);
        } else {
          await this.#startBlock(run);
        }
        if (this.#failed) {
          break;
        }
      }
      await this.#appended;
    } finally {
      // The buffers are the storage's and the threads' until these have ended.
      await Promise.allSettled(this.#running);
    }
  }

  /** Returns once a lane is at work on the block, so that the next block can go to another. */
  async #startBlock(run: BlockRun): Promise<void> {
    const lane = await this.lanes.take();
    const digest = this.#hashBlock(lane, run).finally(() => {
      this.lanes.put(lane);
    });
    const appended = Promise.all([digest, this.#appended]).then(([value]) => {
      this.outer.update(value);
      this.options.onProgress?.(run.blockBytes);
    });
    appended.catch(() => {
      this.#failed = true;
    });
    this.#appended = appended;
    this.#running.add(digest);
    const forget = () => this.#running.delete(digest);
    digest.then(forget, forget);
  }

  async #hashBlock(lane: HashLane, run: BlockRun): Promise<Uint8Array> {
    const { backend, pool, signal } = this.options;
    const updates: Promise<void>[] = [];
    try {
      for (let doneBytes = 0; doneBytes < run.blockBytes; doneBytes += pool.bufferBytes) {
        const lengthBytes = Math.min(pool.bufferBytes, run.blockBytes - doneBytes);
        const buffer = await this.buffers.take();
        let update = Promise.resolve();
        try {
          signal?.throwIfAborted();
          const data = await backend.read(buffer, { offsetBytes: run.offsetBytes + doneBytes, lengthBytes });
          if (data.length < lengthBytes) {
            throw new StorageError('The image became shorter while its checksum was computed');
          }
          update = lane.update(data);
          updates.push(update);
        } finally {
          const put = () => {
            this.buffers.put(buffer);
          };
          update.then(put, put);
        }
      }
      await Promise.all(updates);
    } finally {
      await Promise.allSettled(updates);
    }
    return await lane.digest();
  }

  async #appendZeroes(run: BlockRun): Promise<void> {
    const digest = await this.#zeroDigest(run.blockBytes);
    await this.#appended;
    const digests = repeated(digest, Math.min(run.count, zeroDigestsPerTurn));
    for (let left = run.count; left > 0; left -= zeroDigestsPerTurn) {
      this.outer.update(digests.subarray(0, left * digest.length));
      if (left <= zeroDigestsPerTurn) break;
      await new Promise(setImmediate);
      this.options.signal?.throwIfAborted();
    }
    this.options.onProgress?.(run.count * run.blockBytes);
  }

  async #zeroDigest(blockBytes: number): Promise<Uint8Array> {
    let digest = this.#zeroDigests.get(blockBytes);
    if (digest === undefined) {
      const lane = await this.lanes.take();
      try {
        for (let doneBytes = 0; doneBytes < blockBytes; doneBytes += zeroes.length) {
          await lane.update(zeroes.subarray(0, Math.min(zeroes.length, blockBytes - doneBytes)));
        }
        digest = await lane.digest();
      } finally {
        this.lanes.put(lane);
      }
      this.#zeroDigests.set(blockBytes, digest);
    }
    return digest;
  }
}

function repeated(bytes: Uint8Array, count: number): Uint8Array {
  const all = new Uint8Array(bytes.length * count);
  for (let index = 0; index < count; index += 1) all.set(bytes, index * bytes.length);
  return all;
}
