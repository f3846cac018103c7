import { StorageError } from '../../errors.js';
import { MiB } from '../../units.js';
import { AlignedMemory } from '../backends/aligned-memory.js';
import type { Backend, Extent } from '../backends/backend.js';
import type { BufferPool } from '../backends/buffer-pool.js';
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
  readonly workers: HashWorkers;
  /** Looked at before each read; what has been started ends first. */
  readonly signal?: AbortSignal | undefined;
  /** Called in order of the image with how many more bytes are done. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

/** Two blocks at once, each with one piece being read while another is hashed. */
const lanesMax = 2;
const buffersMax = 4;

/** How many digests of zero blocks go into the outer hash before other work of the process gets its turn. */
const zeroDigestsPerTurn = 4096;

/** What zero blocks are hashed from. Never changed. */
const zeroes = new AlignedMemory(MiB).allocate(MiB);

/**
 * The checksum of an image: the hash of the concatenated digests of its blocks, in hex (docs/protocol.md,
 * "Checksum"). Blocks that are zero by their extents are not read.
 * @throws StorageError when reading fails or the image is shorter than its extents; the signal's reason when it aborts
 */
export async function computeChecksum(options: ChecksumOptions): Promise<string> {
  const { pool, workers, algorithm, signal } = options;
  const outer = await createBlockHash(algorithm);
  const buffers = [await pool.acquire('large', signal)];
  const lanes: HashLane[] = [];
  try {
    while (buffers.length < buffersMax) {
      const buffer = pool.tryAcquire('large');
      if (buffer === undefined) {
        break;
      }
      buffers.push(buffer);
    }
    while (lanes.length < Math.min(lanesMax, buffers.length)) {
      lanes.push(workers.openLane(algorithm));
    }
    await new ChecksumRun(options, outer, new Slots(buffers), new Slots(lanes)).hashAll();
    return Buffer.from(outer.digest()).toString('hex');
  } finally {
    for (const lane of lanes) {
      lane.close();
    }
    for (const buffer of buffers) {
      pool.release(buffer);
    }
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
    private readonly buffers: Slots<Uint8Array>,
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
    for (let index = 0; index < run.count; index += 1) {
      this.outer.update(digest);
      if (index % zeroDigestsPerTurn === zeroDigestsPerTurn - 1) {
        await new Promise(setImmediate);
        this.options.signal?.throwIfAborted();
      }
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
