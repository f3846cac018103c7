import { overlap, type ByteRange } from '../../base/units.js';
import { DigestSeries, type BlockHashing, type UploadedBlock } from './digest-series.js';
import type { KeptBlocks } from './kept-blocks.js';
import { Observation } from './observation.js';

/** Who changes an image: an operation, and the ticket that it is of. */
export interface Changer {
  readonly operation: object;
  /** The id of the ticket. */
  readonly owner: string;
}

/** Something that storage is busy with. */
interface Change extends Changer {
  readonly range: ByteRange;
}

/**
 * How many algorithms and block sizes are kept for one ticket: clients use one. Each write looks at all of
 * them.
 */
const seriesMax = 4;

/** What is known of one image. It is forgotten when that is nothing and no operation has it. */
export class ImageDigests {
  #holders = 0;
  readonly #series = new Map<string, Map<string, DigestSeries>>();
  readonly #changes = new Set<Change>();
  readonly #observations = new Set<Observation>();

  /** @param blocks of all images */
  constructor(
    private readonly blocks: KeptBlocks,
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
  series(owner: string, hashing: BlockHashing): DigestSeries | undefined {
    return this.#series.get(owner)?.get(nameOf(hashing));
  }

  /** Whether there is a series of it, or can be without another one being forgotten. */
  hasRoom(owner: string, hashing: BlockHashing): boolean {
    const owned = this.#series.get(owner);
    return owned === undefined || owned.has(nameOf(hashing)) || owned.size < seriesMax;
  }

  /** Of the series of the ticket that there are. */
  blockSizes(owner: string, algorithm: string): readonly number[] {
    const series = [...(this.#series.get(owner)?.values() ?? [])];
    return series
      .filter(({ hashing }) => hashing.algorithm === algorithm)
      .map(({ hashing }) => hashing.blockSizeBytes);
  }

  /** What the ticket has uploaded in whole blocks, and has not changed since; in the order of the image. */
  uploaded(owner: string, hashing: BlockHashing): readonly UploadedBlock[] {
    return this.series(owner, hashing)?.uploaded() ?? [];
  }

  /**
   * From now on it is seen whether `range` stays what it is. Ended by the caller, whatever happens.
   * @param incarnation of storage
   * @param by the operation whose own changes are what is being hashed
   */
  observe(range: ByteRange, incarnation: number | undefined, by?: object): Observation {
    const isChanging = [...this.#changes].some(
      (change) => change.operation !== by && overlap(change.range, range),
    );
    const observation = new Observation({
      range,
      incarnation,
      by,
      isTrue: !isChanging,
      onEnd: () => {
        this.#observations.delete(observation);
      },
    });
    this.#observations.add(observation);
    return observation;
  }

  /**
   * Keeps the digest of what `observation` has observed, if that is still what it was.
   * @param incarnation of storage
   */
  keep(
    observation: Observation,
    incarnation: number | undefined,
    { owner, hashing, digest }: { owner: string; hashing: BlockHashing; digest: Uint8Array },
  ): void {
    if (incarnation === undefined || !observation.holdsIn(incarnation)) return;
    const { range, by } = observation;
    const current = { digest: Uint8Array.from(digest), incarnation };
    this.#seriesOf(owner, hashing).keep(range, current, by !== undefined);
  }

  /** Has `change` change the image. */
  async change(range: ByteRange, by: Changer, change: () => Promise<void>): Promise<void> {
    const running = { range, ...by };
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
  doubtAll(): void {
    for (const owned of this.#series.values()) for (const series of owned.values()) series.doubtAll();
    for (const observation of this.#observations) observation.refute();
  }

  forgetOwner(owner: string): void {
    for (const series of this.#series.get(owner)?.values() ?? []) series.forgetAll();
    this.#series.delete(owner);
    this.#leave();
  }

  #changed({ range, operation, owner }: Change): void {
    for (const observation of this.#observations)
      if (observation.by !== operation && overlap(observation.range, range)) observation.refute();
    for (const [other, owned] of this.#series) {
      for (const series of owned.values()) {
        if (other === owner) series.forgetWithin(range);
        else series.doubt(range);
      }
    }
  }

  #seriesOf(owner: string, hashing: BlockHashing): DigestSeries {
    let owned = this.#series.get(owner);
    if (owned === undefined) this.#series.set(owner, (owned = new Map<string, DigestSeries>()));
    const name = nameOf(hashing);
    let series = owned.get(name);
    if (series === undefined) {
      const [oldest] = owned;
      if (owned.size >= seriesMax && oldest !== undefined) {
        oldest[1].forgetAll();
        owned.delete(oldest[0]);
      }
      series = new DigestSeries(this.blocks, hashing);
      owned.set(name, series);
    }
    return series;
  }

  #leave(): void {
    if (this.#holders + this.#series.size === 0) this.onEmpty();
  }
}

function nameOf({ algorithm, blockSizeBytes }: BlockHashing): string {
  return `${algorithm} ${blockSizeBytes}`;
}
