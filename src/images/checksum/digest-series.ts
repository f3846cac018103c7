import { overlap, type ByteRange } from '../../base/units.js';
import type { KeptBlock, KeptBlocks } from './kept-blocks.js';

/** How blocks are hashed. */
export interface BlockHashing {
  readonly algorithm: string;
  readonly blockSizeBytes: number;
}

/** What a ticket had uploaded to a block. */
export interface UploadedBlock extends ByteRange {
  readonly digest: Uint8Array;
}

/**
 * What is known of the blocks of one image under one ticket, by one algorithm and block size: by where they
 * begin.
 */
export class DigestSeries {
  readonly #blocks = new Map<number, KeptBlock>();

  /** @param all of all series */
  constructor(
    private readonly all: KeptBlocks,
    readonly hashing: BlockHashing,
  ) {}

  find({ offsetBytes, lengthBytes }: ByteRange, incarnation: number | undefined): Uint8Array | undefined {
    const block = this.#blocks.get(offsetBytes);
    if (
      incarnation === undefined ||
      block?.range.lengthBytes !== lengthBytes ||
      block.current?.incarnation !== incarnation
    )
      return undefined;
    return block.current.digest;
  }

  keep(range: ByteRange, current: NonNullable<KeptBlock['current']>, isUploaded: boolean): void {
    const known = this.#blocks.get(range.offsetBytes);
    const uploaded = known?.range.lengthBytes === range.lengthBytes ? known.uploaded : undefined;
    if (known !== undefined) this.forget(known);
    const block = { range, series: this, current, uploaded: isUploaded ? current.digest : uploaded };
    this.#blocks.set(range.offsetBytes, block);
    this.all.add(block);
  }

  /** Of what lies in `range` nobody knows what it holds. */
  doubt(range: ByteRange): void {
    for (const block of this.#within(range)) this.#doubt(block);
  }

  doubtAll(): void {
    for (const block of this.#blocks.values()) this.#doubt(block);
  }

  forgetWithin(range: ByteRange): void {
    for (const block of this.#within(range)) this.forget(block);
  }

  forgetAll(): void {
    for (const block of this.#blocks.values()) this.forget(block);
  }

  forget(block: KeptBlock): void {
    this.all.delete(block);
    this.#blocks.delete(block.range.offsetBytes);
  }

  /** In the order of the image. */
  uploaded(): UploadedBlock[] {
    const uploaded: UploadedBlock[] = [];
    for (const { range, uploaded: digest } of this.#blocks.values())
      if (digest !== undefined) uploaded.push({ ...range, digest });
    return uploaded.sort((a, b) => a.offsetBytes - b.offsetBytes);
  }

  #doubt(block: KeptBlock): void {
    this.all.doubt(block);
    if (block.uploaded === undefined) this.forget(block);
  }

  /** Looks at whichever are fewer: the blocks that there are, or those that the range could have. */
  *#within(range: ByteRange): Generator<KeptBlock> {
    const { blockSizeBytes } = this.hashing;
    const { offsetBytes, lengthBytes } = range;
    if (lengthBytes / blockSizeBytes > this.#blocks.size) {
      for (const block of this.#blocks.values()) if (overlap(block.range, range)) yield block;
      return;
    }
    const end = offsetBytes + lengthBytes;
    for (let start = offsetBytes - (offsetBytes % blockSizeBytes); start < end; start += blockSizeBytes) {
      const block = this.#blocks.get(start);
      if (block !== undefined && overlap(block.range, range)) yield block;
    }
  }
}
