import type { ByteRange } from '../../base/units.js';
import type { BlockHashing, ImageDigests, Observation } from './kept-digests.js';

/** The digests that one operation finds and keeps, which are those of its ticket. */
export class OperationDigests {
  /**
   * @param image absent where nothing may be kept
   * @param by whose changes are those of the operation
   */
  constructor(
    private readonly owner: string,
    private readonly image: ImageDigests | undefined,
    private readonly by: object,
  ) {}

  find(hashing: BlockHashing, range: ByteRange): Uint8Array | undefined {
    return this.image?.find(this.owner, hashing, range);
  }

  /** To be called before the first byte of `range` is read. */
  observe(range: ByteRange): Observation | undefined {
    return this.image?.observe(range);
  }

  /** To be called before the first byte of `range` is written: the operation's own writes are expected. */
  observeWritten(range: ByteRange): Observation | undefined {
    return this.image?.observe(range, this.by);
  }

  /** @param digest of all that was observed */
  keep(observation: Observation, hashing: BlockHashing, digest: Uint8Array): void {
    this.image?.keep(observation, this.owner, hashing, digest);
  }
}
