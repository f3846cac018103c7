import { overlap, type ByteRange } from '../../base/units.js';
import type { Backend } from '../backends/backend.js';

/** How blocks are hashed. */
export interface BlockHashing {
  readonly algorithm: string;
  readonly blockSizeBytes: number;
}

/** A digest that stands for what the block holds, as long as it is kept. */
interface KeptDigest {
  readonly digest: Uint8Array;
  readonly range: ByteRange;
  readonly series: Series;
}

/** Of one image under one ticket, by one algorithm and block size: digests by where their blocks begin. */
interface Series {
  readonly blockSizeBytes: number;
  readonly digests: Map<number, KeptDigest>;
}

/** Something that storage is busy with, and by which operation. */
interface Change {
  readonly range: ByteRange;
  readonly by: object;
}

/**
 * How many algorithms and block sizes are kept for one ticket: clients use one. Each write looks at all of
 * them.
 */
const seriesMax = 4;

/**
 * The digests of blocks that are known, so that nobody reads them again (docs/protocol.md, "Kept digests").
 * They belong to a ticket and end with it. What any ticket of this service is about to change of an image is
 * forgotten, and what was being hashed meanwhile is not kept. All that changes an image has to go through the
 * backend that `watched` makes.
 */
export class KeptDigests {
  readonly #images = new Map<string, ImageDigests>();
  /** In the order in which they came: the oldest make room. */
  readonly #all = new Set<KeptDigest>();

  /** @param countMax digests of all tickets */
  constructor(private readonly countMax: number) {}

  get count(): number {
    return this.#all.size;
  }

  /**
   * What is known of the image, to be released by the operation that asks: all operations on an image hear of
   * each other's changes by having the same one.
   * @returns undefined where storage may lose what it took without telling, so that nothing may be kept
   */
  image(backend: Backend): ImageDigests | undefined {
    const { identity } = backend;
    if (identity === undefined || this.countMax === 0) return undefined;
    let image = this.#images.get(identity);
    if (image === undefined) {
      image = new ImageDigests(this.#all, this.countMax, () => this.#images.delete(identity));
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

/** What is known of one image. It is forgotten when that is nothing and no operation has it. */
export class ImageDigests {
  #holders = 0;
  readonly #series = new Map<string, Map<string, Series>>();
  readonly #changes = new Set<Change>();
  readonly #observations = new Set<Observation>();

  constructor(
    private readonly all: Set<KeptDigest>,
    private readonly countMax: number,
    private readonly onEmpty: () => void,
  ) {}

  /** One more operation has it, until `release`. */
  hold(): void {
    this.#holders += 1;
  }

  /** To be called once by each operation that has it, when it changes nothing any more. */
  release(): void {
    this.#holders -= 1;
    this.#leave();
  }

  /** @param owner the id of the ticket */
  find(
    owner: string,
    hashing: BlockHashing,
    { offsetBytes, lengthBytes }: ByteRange,
  ): Uint8Array | undefined {
    const kept = this.#series.get(owner)?.get(nameOf(hashing))?.digests.get(offsetBytes);
    return kept?.range.lengthBytes === lengthBytes ? kept.digest : undefined;
  }

  /**
   * From now on it is seen whether `range` stays what it is. Ended by the caller, whatever happens.
   * @param by the operation whose own changes are what is being hashed
   */
  observe(range: ByteRange, by?: object): Observation {
    const isChanging = [...this.#changes].some((change) => change.by !== by && overlap(change.range, range));
    const observation = new Observation(range, by, !isChanging, () => {
      this.#observations.delete(observation);
    });
    this.#observations.add(observation);
    return observation;
  }

  /** Keeps the digest of what `observation` has observed, if that is still what it was. */
  keep(observation: Observation, owner: string, hashing: BlockHashing, digest: Uint8Array): void {
    if (!observation.isTrue) return;
    const series = this.#seriesOf(owner, hashing);
    const { range } = observation;
    const known = series.digests.get(range.offsetBytes);
    if (known !== undefined) this.#forget(known);
    const kept = { digest: Uint8Array.from(digest), range, series };
    series.digests.set(range.offsetBytes, kept);
    this.all.add(kept);
    for (const oldest of this.all) {
      if (this.all.size <= this.countMax) break;
      this.#forget(oldest);
    }
  }

  /** Has `change` change the image. */
  async change(range: ByteRange, by: object, change: () => Promise<void>): Promise<void> {
    const running = { range, by };
    this.#changes.add(running);
    this.#changed(running);
    try {
      await change();
    } finally {
      this.#changes.delete(running);
      this.#changed(running);
    }
  }

  /** Storage may have lost some of what it took. */
  forgetAll(): void {
    for (const owner of [...this.#series.keys()]) this.#forgetSeriesOf(owner);
    for (const observation of this.#observations) observation.refute();
  }

  forgetOwner(owner: string): void {
    this.#forgetSeriesOf(owner);
    this.#leave();
  }

  #changed(change: Change): void {
    for (const observation of this.#observations) {
      if (observation.by !== change.by && overlap(observation.range, change.range)) observation.refute();
    }
    for (const owned of this.#series.values()) {
      for (const series of owned.values()) this.#forgetPart(series, change.range);
    }
  }

  #forgetPart({ blockSizeBytes, digests }: Series, range: ByteRange): void {
    const { offsetBytes, lengthBytes } = range;
    const first = offsetBytes - (offsetBytes % blockSizeBytes);
    if (lengthBytes / blockSizeBytes > digests.size) {
      for (const kept of digests.values()) if (overlap(kept.range, range)) this.#forget(kept);
      return;
    }
    for (let start = first; start < offsetBytes + lengthBytes; start += blockSizeBytes) {
      const kept = digests.get(start);
      if (kept !== undefined) this.#forget(kept);
    }
  }

  #seriesOf(owner: string, hashing: BlockHashing): Series {
    let owned = this.#series.get(owner);
    if (owned === undefined) this.#series.set(owner, (owned = new Map<string, Series>()));
    const name = nameOf(hashing);
    let series = owned.get(name);
    if (series === undefined) {
      const [oldest] = owned;
      if (owned.size >= seriesMax && oldest !== undefined) this.#forgetSeries(owned, ...oldest);
      series = { blockSizeBytes: hashing.blockSizeBytes, digests: new Map() };
      owned.set(name, series);
    }
    return series;
  }

  #forgetSeriesOf(owner: string): void {
    const owned = this.#series.get(owner);
    for (const [name, series] of owned ?? []) this.#forgetSeries(owned, name, series);
    this.#series.delete(owner);
  }

  #forgetSeries(owned: Map<string, Series> | undefined, name: string, series: Series): void {
    for (const kept of series.digests.values()) this.#forget(kept);
    owned?.delete(name);
  }

  #forget(kept: KeptDigest): void {
    this.all.delete(kept);
    kept.series.digests.delete(kept.range.offsetBytes);
  }

  #leave(): void {
    if (this.#holders + this.#series.size === 0) this.onEmpty();
  }
}

/** Whether a part of an image has stayed what it was since this was made. */
export class Observation {
  #isTrue: boolean;

  constructor(
    readonly range: ByteRange,
    /** Whose changes are expected. */
    readonly by: object | undefined,
    isTrue: boolean,
    private readonly onEnd: () => void,
  ) {
    this.#isTrue = isTrue;
  }

  get isTrue(): boolean {
    return this.#isTrue;
  }

  refute(): void {
    this.#isTrue = false;
  }

  end(): void {
    this.onEnd();
  }
}

function nameOf({ algorithm, blockSizeBytes }: BlockHashing): string {
  return `${algorithm} ${blockSizeBytes}`;
}
