import type { ByteRange } from '../../base/units.js';
import type { Backend } from '../backends/backend.js';
import type { BlockHashing, UploadedBlock } from './digest-series.js';
import type { DigestSource, DigestStatistics } from './digest-statistics.js';
import type { ImageDigests } from './image-digests.js';
import type { Observation } from './observation.js';

export interface OperationDigestsOptions {
  /** The id of the ticket. */
  readonly owner: string;
  readonly image: ImageDigests;
  /** Through which the operation makes its changes. */
  readonly backend: Pick<Backend, 'incarnation'>;
  readonly statistics: DigestStatistics;
}

/** The digests that one operation finds and keeps, which are those of its ticket. */
export class OperationDigests {
  constructor(private readonly options: OperationDigestsOptions) {}

  find(hashing: BlockHashing, range: ByteRange): Uint8Array | undefined {
    const { owner, image, backend } = this.options;
    return image.series(owner, hashing)?.find(range, backend.incarnation);
  }

  /** Whether digests of it can be kept without others having to go for them. */
  hasRoom(hashing: BlockHashing): boolean {
    return this.options.image.hasRoom(this.options.owner, hashing);
  }

  /** Of the series that there are. */
  blockSizes(algorithm: string): readonly number[] {
    return this.options.image.blockSizes(this.options.owner, algorithm);
  }

  /** What the ticket has uploaded in whole blocks, and has not changed since; in the order of the image. */
  uploaded(hashing: BlockHashing): readonly UploadedBlock[] {
    return this.options.image.uploaded(this.options.owner, hashing);
  }

  /** To be called before the first byte of `range` is read. */
  observe(range: ByteRange): Observation {
    const { image, backend } = this.options;
    return image.observe(range, backend.incarnation);
  }

  /** To be called before the first byte of `range` is written: the operation's own writes are expected. */
  observeWritten(range: ByteRange): Observation {
    const { image, backend } = this.options;
    return image.observe(range, backend.incarnation, backend);
  }

  /** Whether nothing has changed what was observed. */
  holds(observation: Observation): boolean {
    return observation.holdsIn(this.options.backend.incarnation);
  }

  /** @param digest of all that was observed */
  keep(observation: Observation, hashing: BlockHashing, digest: Uint8Array): void {
    const { owner, image, backend } = this.options;
    image.keep(observation, backend.incarnation, { owner, hashing, digest });
  }

  /** The digest of so many bytes was made known. */
  told(source: DigestSource, lengthBytes: number): void {
    this.options.statistics.told(source, lengthBytes);
  }
}
