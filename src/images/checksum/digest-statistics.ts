/** By what the digest of a block became known: its extents, a digest that was kept, or reading it. */
export type DigestSource = 'zero' | 'kept' | 'read';

/** How many bytes of images digests were told of since the start. */
export class DigestStatistics {
  readonly #bytes: Record<DigestSource, number> = { zero: 0, kept: 0, read: 0 };

  told(source: DigestSource, lengthBytes: number): void {
    this.#bytes[source] += lengthBytes;
  }

  get bytes(): Readonly<Record<DigestSource, number>> {
    return this.#bytes;
  }
}
