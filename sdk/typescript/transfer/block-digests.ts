import { RangeSet, type ByteRange } from './byte-ranges.js';
import type { Hasher } from './hashing.js';

/** So many digests are kept in one piece of memory; most of a sparse disk has none. */
const digestsPerPage = 1024;

/** What the blocks of a disk hash to, as far as their data has been seen. A TiB takes 8 MiB at most. */
export class BlockDigests {
  readonly #pages = new Map<number, Uint8Array>();
  readonly #known = new Set<number>();
  readonly #zeroes = new RangeSet();
  /** By length: all blocks but the last have the same. */
  readonly #zeroDigests = new Map<number, Uint8Array>();

  constructor(
    readonly hasher: Hasher,
    readonly blockBytes: number,
    readonly sizeBytes: number,
  ) {}

  get blockCount(): number {
    return Math.ceil(this.sizeBytes / this.blockBytes);
  }

  rangeOf(index: number): ByteRange {
    const offsetBytes = index * this.blockBytes;
    return { offsetBytes, lengthBytes: Math.min(this.blockBytes, this.sizeBytes - offsetBytes) };
  }

  set(offsetBytes: number, digest: Uint8Array): void {
    const index = offsetBytes / this.blockBytes;
    const pageNumber = Math.floor(index / digestsPerPage);
    let page = this.#pages.get(pageNumber);
    if (page === undefined) {
      page = new Uint8Array(digestsPerPage * this.hasher.digestBytes);
      this.#pages.set(pageNumber, page);
    }
    page.set(digest, (index % digestsPerPage) * this.hasher.digestBytes);
    this.#known.add(index);
  }

  /** Whole blocks that are zero. */
  setZero(blocks: ByteRange): void {
    this.#zeroes.add(blocks);
  }

  /** @returns undefined when the block was not seen */
  async of(index: number): Promise<Uint8Array | undefined> {
    const range = this.rangeOf(index);
    if (this.#zeroes.has(range)) return this.#zeroDigest(range.lengthBytes);
    if (!this.#known.has(index)) return undefined;
    const start = (index % digestsPerPage) * this.hasher.digestBytes;
    return this.#pages
      .get(Math.floor(index / digestsPerPage))
      ?.subarray(start, start + this.hasher.digestBytes);
  }

  async #zeroDigest(lengthBytes: number): Promise<Uint8Array> {
    let digest = this.#zeroDigests.get(lengthBytes);
    if (digest === undefined) {
      digest = await this.hasher.digest(new Uint8Array(lengthBytes));
      this.#zeroDigests.set(lengthBytes, digest);
    }
    return digest;
  }
}
