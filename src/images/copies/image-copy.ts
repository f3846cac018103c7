import { ConflictError, StorageError } from '../../base/errors.js';
import { MiB, type ByteRange } from '../../base/units.js';
import type { BlockDigest, Extent } from '../backends/backend.js';
import type { BufferPool } from '../buffers/buffer-pool.js';
import { blockDigests } from '../checksum/block-digests.js';
import { extentsOfPart } from '../checksum/extents-of-part.js';
import type { HashWorkers } from '../checksum/hash-workers.js';
import type { OperationContext } from '../transfer/image-operations.js';
import { ZeroAreas } from './zero-areas.js';

export interface ImageCopyOptions {
  readonly source: OperationContext;
  readonly target: OperationContext;
  /** How much of both, from their first byte on. */
  readonly lengthBytes: number;
  /** Only what changed since the checkpoint of the source. */
  readonly dirty: boolean;
  readonly pool: BufferPool;
  readonly workers: HashWorkers;
  /** So much was looked at that did not have to be copied. */
  readonly onSkipped: (lengthBytes: number) => void;
}

/** What a copy did, in bytes. */
export interface CopyResult {
  copied_bytes: number;
  zeroed_bytes: number;
  /** Zeroes where the target had zeroes before, and what was not dirty. */
  skipped_bytes: number;
}

/**
 * How many steps are under way at once: reads overlap writes, and storage has several of each to do. With
 * four a copy of a file on a disk took a third longer, or more.
 */
const stepsAtOnce = 8;
/** The most zeroed in one step, between which a cancel takes effect. */
const zeroStepBytes = 128 * MiB;
const verifyAlgorithm = 'blake2b';
const verifyBlockBytes = 4 * MiB;

/** Copies an image to another, of whatever backends (docs/protocol.md, "Copies"). */
export class ImageCopy {
  readonly #result: CopyResult = { copied_bytes: 0, zeroed_bytes: 0, skipped_bytes: 0 };
  /** The next step is made by one at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  #failed = false;

  constructor(private readonly options: ImageCopyOptions) {}

  /** @throws StorageError, or why the copy was stopped; nothing of it is under way any more then */
  async run(): Promise<CopyResult> {
    const { target } = this.options;
    const { received } = target.permit;
    const { lossCount } = received;
    const steps = this.#steps();
    try {
      const lanes = Array.from({ length: stepsAtOnce }, () => this.#work(steps));
      const outcomes = await Promise.allSettled(lanes);
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    } finally {
      await steps.return(undefined);
    }
    await target.lease.flush(() => target.backend.flush());
    target.lease.signal.throwIfAborted();
    // A server that was started again flushes only what it got since.
    if (received.lossCount !== lossCount)
      throw new StorageError('The storage of the target may have lost what was not flushed: copy again');
    return this.#result;
  }

  /**
   * Reads both again and compares the digests of their blocks.
   * @throws ConflictError when a block differs
   */
  async verify(): Promise<void> {
    const { source, target } = this.options;
    const ofSource = this.#digests(source);
    const ofTarget = this.#digests(target);
    try {
      for await (const one of ofSource) {
        const other = await ofTarget.next();
        const { range, digest } = one;
        if (other.done === true || Buffer.compare(digest, other.value.digest) !== 0)
          throw new ConflictError(`The target differs from the source in the block at ${range.offsetBytes}`);
        source.lease.progressed(range);
        target.lease.progressed(range);
      }
    } finally {
      await ofTarget.return(undefined);
    }
  }

  async #work(steps: AsyncGenerator<CopyStep, undefined>): Promise<void> {
    const { signal } = this.options.target.lease;
    try {
      for (;;) {
        signal.throwIfAborted();
        const step = await this.#next(steps);
        if (step === undefined || this.#failed) return;
        if (step.kind === 'data') await this.#copy(step.range);
        else await this.#zero(step);
      }
    } catch (error: unknown) {
      this.#failed = true;
      throw error;
    }
  }

  async #next(steps: AsyncGenerator<CopyStep, undefined>): Promise<CopyStep | undefined> {
    const next = this.#turn.then(() => steps.next());
    this.#turn = next.catch(() => undefined);
    const result = await next;
    return result.done === true ? undefined : result.value;
  }

  async #copy(range: ByteRange): Promise<void> {
    const { source, target, pool } = this.options;
    const { signal } = target.lease;
    const buffer = await pool.acquire({ size: 'large', claimant: target.permit, signal });
    try {
      signal.throwIfAborted();
      const data = await source.backend.read(buffer, range);
      if (data.length < range.lengthBytes)
        throw new StorageError('The image became shorter while it was copied');
      source.lease.progressed(range);
      await target.lease.change(range, ({ offsetBytes, lengthBytes }) => {
        const start = offsetBytes - range.offsetBytes;
        return target.backend.write(data.subarray(start, start + lengthBytes), offsetBytes);
      });
      this.#result.copied_bytes += range.lengthBytes;
    } finally {
      pool.release(buffer);
    }
  }

  async #zero({ range, kind }: CopyStep): Promise<void> {
    const { source, target } = this.options;
    const { sparse } = target.permit.definition;
    source.lease.progressed(range);
    await target.lease.change(
      range,
      async (part) => {
        // What reads as zeroes already counts as written, and is left alone.
        if (kind === 'zero') await target.backend.zero(part, { sparse });
      },
      { zero: true },
    );
    if (kind === 'zero') this.#result.zeroed_bytes += range.lengthBytes;
    else this.#result.skipped_bytes += range.lengthBytes;
  }

  async *#steps(): AsyncGenerator<CopyStep, undefined> {
    const { source, target, lengthBytes, dirty, pool, onSkipped } = this.options;
    const whole = { offsetBytes: 0, lengthBytes };
    const zeroes = new ZeroAreas(target.backend.extents('zero', whole));
    try {
      const extents = source.backend.extents(dirty ? 'dirty' : 'zero', whole);
      for await (const extent of extentsOfPart(extents, whole)) {
        if (dirty && extent.dirty !== true) {
          this.#result.skipped_bytes += extent.length;
          onSkipped(extent.length);
        } else if (extent.zero) yield* zeroSteps(extent, zeroes);
        else yield* stepsOf(rangeOf(extent), pool.bufferBytes, 'data');
      }
    } finally {
      await zeroes.close();
    }
  }

  async *#digests({ permit, backend, lease }: OperationContext): AsyncGenerator<BlockDigest> {
    const { pool, workers, lengthBytes } = this.options;
    const whole = { offsetBytes: 0, lengthBytes };
    const told = backend.blockDigests({
      algorithm: verifyAlgorithm,
      blockSizeBytes: verifyBlockBytes,
      lengthBytes,
    });
    if (told !== undefined) {
      yield* told;
      return;
    }
    const runs = blockDigests({
      backend,
      extents: extentsOfPart(backend.extents('zero', whole), whole),
      algorithm: verifyAlgorithm,
      blockSizeBytes: verifyBlockBytes,
      pool,
      claimant: permit,
      workers,
      signal: lease.signal,
    });
    for await (const { offsetBytes, blockBytes, count, digest } of runs)
      for (let index = 0; index < count; index += 1)
        yield {
          range: { offsetBytes: offsetBytes + index * blockBytes, lengthBytes: blockBytes },
          digest,
        };
  }
}

interface CopyStep {
  readonly kind: 'data' | 'zero' | 'zero already';
  readonly range: ByteRange;
}

async function* zeroSteps(extent: Extent, zeroes: ZeroAreas): AsyncGenerator<CopyStep> {
  for await (const { zero, ...part } of zeroes.split(rangeOf(extent))) {
    yield* stepsOf(part, zeroStepBytes, zero ? 'zero already' : 'zero');
  }
}

/** Steps end at multiples of their size, so that only the first and the last can be unaligned. */
function* stepsOf(
  { offsetBytes, lengthBytes }: ByteRange,
  stepBytes: number,
  kind: CopyStep['kind'],
): Generator<CopyStep> {
  const endBytes = offsetBytes + lengthBytes;
  for (let at = offsetBytes; at < endBytes;) {
    const end = Math.min(at - (at % stepBytes) + stepBytes, endBytes);
    yield { kind, range: { offsetBytes: at, lengthBytes: end - at } };
    at = end;
  }
}

function rangeOf({ start, length }: Extent): ByteRange {
  return { offsetBytes: start, lengthBytes: length };
}
