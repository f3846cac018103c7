import type { ByteRange, RangeSet } from './byte-ranges.js';
import type { DiskExtent } from './disk.js';

/** Something to do, of whole blocks of the disk, the last of which may be shorter. */
export type PlannedPiece =
  | (ByteRange & {
      readonly kind: 'data';
      /** The target has zeroes there, so those of the source need not be sent. */
      readonly targetIsZero: boolean;
    })
  | (ByteRange & {
      readonly kind: 'zero';
      readonly targetIsZero: boolean;
    })
  | (ByteRange & {
      /** It is there from a run before. */
      readonly kind: 'done';
    });

export interface PlanOptions {
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly source: AsyncIterable<DiskExtent>;
  /** What the target has before anything is written; undefined when that is not known. */
  readonly target: AsyncIterable<DiskExtent> | undefined;
  /** What is there from a run before. */
  readonly done: RangeSet;
}

/** What is alike in a row of blocks. */
interface BlockKind {
  readonly kind: PlannedPiece['kind'];
  readonly targetIsZero: boolean;
}

/**
 * What has to be done so that the target is as the source, in order of the disk and without gaps: blocks with
 * data one by one, blocks of zeroes and those that are done in rows as long as they get. Neither list of
 * extents is held in memory.
 */
export async function* planTransfer(options: PlanOptions): AsyncGenerator<PlannedPiece> {
  const { sizeBytes, blockBytes, done } = options;
  const source = new ExtentCursor(options.source, sizeBytes);
  const target = options.target === undefined ? undefined : new ExtentCursor(options.target, sizeBytes);
  try {
    for (let offsetBytes = 0; offsetBytes < sizeBytes;) {
      const first = { offsetBytes, lengthBytes: Math.min(blockBytes, sizeBytes - offsetBytes) };
      const kind = await kindOf(first, source, target, done);
      let endBytes = first.offsetBytes + first.lengthBytes;
      if (kind.kind !== 'data') endBytes = await rowEnd(endBytes, kind, options, { source, target });
      yield { ...kind, offsetBytes, lengthBytes: endBytes - offsetBytes };
      offsetBytes = endBytes;
    }
  } finally {
    await source.close();
    await target?.close();
  }
}

/** Where the row of blocks of that kind ends that has its next block at `startBytes`. */
async function rowEnd(
  startBytes: number,
  row: BlockKind,
  { sizeBytes, blockBytes, done }: PlanOptions,
  { source, target }: { source: ExtentCursor; target: ExtentCursor | undefined },
): Promise<number> {
  let endBytes = startBytes;
  while (endBytes < sizeBytes) {
    const block = { offsetBytes: endBytes, lengthBytes: Math.min(blockBytes, sizeBytes - endBytes) };
    const { kind, targetIsZero } = await kindOf(block, source, target, done);
    if (kind !== row.kind || targetIsZero !== row.targetIsZero) break;
    // A long extent is passed at once: 8 TiB have two million blocks.
    const alikeBytes = await alikeEnd(endBytes, kind, source, target);
    const blocks = Math.floor((alikeBytes - endBytes) / blockBytes);
    endBytes += kind === 'zero' && blocks > 1 ? blocks * blockBytes : block.lengthBytes;
  }
  return Math.min(endBytes, sizeBytes);
}

async function alikeEnd(
  offsetBytes: number,
  kind: PlannedPiece['kind'],
  source: ExtentCursor,
  target: ExtentCursor | undefined,
): Promise<number> {
  if (kind !== 'zero') return offsetBytes;
  return Math.min(await source.endAt(offsetBytes), (await target?.endAt(offsetBytes)) ?? Infinity);
}

async function kindOf(
  block: ByteRange,
  source: ExtentCursor,
  target: ExtentCursor | undefined,
  done: RangeSet,
): Promise<BlockKind> {
  if (done.has(block)) return { kind: 'done', targetIsZero: false };
  const targetIsZero = (await target?.isZero(block)) ?? false;
  return { kind: (await source.isZero(block)) ? 'zero' : 'data', targetIsZero };
}

/** Walks along extents; what it is asked for only moves forward. */
class ExtentCursor {
  readonly #extents: AsyncIterator<DiskExtent>;
  /** Those that the block last asked for reaches into, in order. */
  #known: DiskExtent[] = [];
  #knownEndBytes = 0;

  constructor(
    extents: AsyncIterable<DiskExtent>,
    private readonly sizeBytes: number,
  ) {
    this.#extents = extents[Symbol.asyncIterator]();
  }

  async isZero(block: ByteRange): Promise<boolean> {
    await this.#reach(block);
    return this.#known.every(({ zero }) => zero);
  }

  /** Where the extent ends that has the byte at `offsetBytes`. */
  async endAt(offsetBytes: number): Promise<number> {
    await this.#reach({ offsetBytes, lengthBytes: 1 });
    const [extent] = this.#known;
    return extent === undefined ? offsetBytes : extent.offsetBytes + extent.lengthBytes;
  }

  async close(): Promise<void> {
    await this.#extents.return?.();
  }

  async #reach({ offsetBytes, lengthBytes }: ByteRange): Promise<void> {
    this.#known = this.#known.filter((extent) => extent.offsetBytes + extent.lengthBytes > offsetBytes);
    while (this.#knownEndBytes < offsetBytes + lengthBytes) {
      const next: IteratorResult<DiskExtent, unknown> = await this.#extents.next();
      // Where a list ends early, nothing is known of the rest, and it may have data.
      const extent = next.done === true ? this.#dataToTheEnd() : next.value;
      this.#knownEndBytes = extent.offsetBytes + extent.lengthBytes;
      if (this.#knownEndBytes > offsetBytes) this.#known.push(extent);
      if (next.done === true) return;
    }
  }

  #dataToTheEnd(): DiskExtent {
    const offsetBytes = this.#knownEndBytes;
    return { offsetBytes, lengthBytes: this.sizeBytes - offsetBytes, zero: false };
  }
}
