import { StorageError } from '../../base/errors.js';
import { MiB } from '../../base/units.js';
import { AlignedMemory } from '../buffers/aligned-memory.js';
import type { Backend, Extent } from '../backends/backend.js';
import type { BufferPool } from '../buffers/buffer-pool.js';
import { BufferSet } from '../transfer/buffer-set.js';
import type { Claimant } from '../buffers/fair-shares.js';
import { type BlockRun, blockRuns } from './block-runs.js';
import type { DigestSource } from './digest-statistics.js';
import type { OperationDigests } from './operation-digests.js';
import type { HashLane, HashWorkers } from './hash-workers.js';
import { Slots } from './slots.js';

export interface BlockDigestsOptions {
  readonly backend: Pick<Backend, 'read'>;
  /** What is to be hashed: in order, without gaps, from the first byte of a block on. */
  readonly extents: AsyncIterable<Extent> | Iterable<Extent>;
  /** One of `checksumAlgorithms`. */
  readonly algorithm: string;
  readonly blockSizeBytes: number;
  readonly pool: BufferPool;
  /** For whom the buffers are. */
  readonly claimant: Claimant;
  readonly workers: HashWorkers;
  /** Where digests are found that are known, and kept that are not. */
  readonly digests?: OperationDigests | undefined;
  /** Looked at before each read; what has been started ends first. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A block and its digest, or any number of blocks that follow each other and are zero, with the digest of
 * each.
 */
export interface DigestRun extends BlockRun {
  readonly digest: Uint8Array;
}

/** Two blocks at once, each with one piece being read while another is hashed. */
const lanesMax = 2;
const buffersMax = 4;
/**
 * How many runs may be ready before they are taken, for which no buffer is held: blocks go on being hashed
 * while the one before them is late, and no further when nobody takes any.
 */
const runsAheadMax = 64;

/** What zero blocks are hashed from. Never changed. */
const zeroes = new AlignedMemory(MiB).allocate(MiB);

/**
 * The digests of the blocks of an image in order, made while they are taken: who takes none for a while has
 * no more made. Blocks that are zero by their extents are not read. Whoever stops taking waits until nothing
 * of it is under way any more.
 * @throws StorageError when reading fails or the image is shorter than its extents; the
 *   signal's reason when it aborts
 */
export async function* blockDigests(options: BlockDigestsOptions): AsyncGenerator<DigestRun> {
  const { pool, claimant, workers, algorithm, signal } = options;
  // Borrowed only when there is data to read: blocks that are zero need none.
  const buffers = new BufferSet(pool, { claimant, lengthBytes: Infinity, countMax: buffersMax, signal });
  const lanes = Array.from({ length: lanesMax }, () => workers.openLane(algorithm));
  const hashing = new BlockHashing(options, buffers, new Slots(lanes));
  try {
    hashing.start();
    for (let run = await hashing.next(); run !== undefined; run = await hashing.next()) yield run;
  } finally {
    await hashing.end();
    for (const lane of lanes) {
      lane.close();
    }
    buffers.release();
  }
}

/** A run whose digest is being made. */
interface BegunRun {
  readonly run: BlockRun;
  readonly digest: Promise<Uint8Array>;
}

class BlockHashing {
  readonly #zeroDigests = new Map<number, Uint8Array>();
  /** In order of the image. */
  readonly #begun: BegunRun[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #beginning: Promise<void> = Promise.resolve();
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;
  #changed: PromiseWithResolvers<undefined> | undefined;

  constructor(
    private readonly options: BlockDigestsOptions,
    private readonly buffers: BufferSet,
    private readonly lanes: Slots<HashLane>,
  ) {}

  start(): void {
    this.#beginning = this.#beginAll()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#isOver = true;
        this.#change();
      });
  }

  /** @returns undefined after the last */
  async next(): Promise<DigestRun | undefined> {
    for (;;) {
      const first = this.#begun.shift();
      if (first !== undefined) {
        this.#change();
        const digest = await first.digest;
        this.options.signal?.throwIfAborted();
        return { ...first.run, digest };
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#isOver) return undefined;
      await this.#nextChange();
    }
  }

  /** Begins no more blocks. The buffers are the storage's and the threads' until this resolves. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#change();
    await this.#beginning;
    await Promise.allSettled(this.#running);
  }

  async #beginAll(): Promise<void> {
    for await (const run of blockRuns(this.options.extents, this.options.blockSizeBytes)) {
      this.options.signal?.throwIfAborted();
      while (this.#begun.length >= runsAheadMax && !this.#isOver) await this.#nextChange();
      if (this.#isOver || this.#failure !== undefined) return;
      const known = run.zero ? await this.#zeroDigest(run) : this.#knownDigest(run);
      if (known !== undefined) this.#told(run, run.zero ? 'zero' : 'kept');
      this.#begun.push(
        known === undefined ? await this.#beginBlock(run) : { run, digest: Promise.resolve(known) },
      );
      this.#change();
    }
  }

  /** Returns once a lane is at work on the block, so that the next block can go to another. */
  async #beginBlock(run: BlockRun): Promise<BegunRun> {
    const lane = await this.lanes.take();
    const digest = this.#observeBlock(lane, run).finally(() => {
      this.lanes.put(lane);
    });
    this.#running.add(digest);
    digest
      .catch((error: unknown) => {
        // Those before it still come out, then this.
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(digest));
    return { run, digest };
  }

  #knownDigest({ offsetBytes, blockBytes }: BlockRun): Uint8Array | undefined {
    return this.options.digests?.find(this.options, { offsetBytes, lengthBytes: blockBytes });
  }

  #told({ blockBytes, count }: BlockRun, source: DigestSource): void {
    this.options.digests?.told(source, count * blockBytes);
  }

  /** Keeps the digest, unless the block is changed meanwhile. */
  async #observeBlock(lane: HashLane, run: BlockRun): Promise<Uint8Array> {
    const { digests } = this.options;
    const observation = digests?.observe({ offsetBytes: run.offsetBytes, lengthBytes: run.blockBytes });
    try {
      const digest = await this.#hashBlock(lane, run);
      this.#told(run, 'read');
      if (observation !== undefined) digests?.keep(observation, this.options, digest);
      return digest;
    } finally {
      observation?.end();
    }
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

  async #zeroDigest({ blockBytes }: BlockRun): Promise<Uint8Array> {
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

  async #nextChange(): Promise<void> {
    this.#changed ??= Promise.withResolvers<undefined>();
    await this.#changed.promise;
  }

  #change(): void {
    this.#changed?.resolve(undefined);
    this.#changed = undefined;
  }
}
