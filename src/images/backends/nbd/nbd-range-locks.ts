import type { ByteRange } from '../../../units.js';

interface Claim {
  readonly startBytes: number;
  readonly endBytes: number;
  readonly released: Promise<void>;
}

/**
 * Serialises work on overlapping ranges of one export, whichever connection does it. A claim waits for the overlapping ones
 * before it, held or waiting, and for nothing else: first come, first served, so nobody starves and nothing deadlocks.
 */
export class NbdRangeLocks {
  readonly #claimsByExport = new Map<string, Set<Claim>>();

  /** Runs `work` while nobody else works on a part of the range, and passes on its outcome. */
  async run<T>(
    exportKey: string,
    { offsetBytes, lengthBytes }: ByteRange,
    work: () => Promise<T>,
  ): Promise<T> {
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const claim: Claim = { startBytes: offsetBytes, endBytes: offsetBytes + lengthBytes, released };
    const claims = this.#claimsByExport.get(exportKey) ?? new Set();
    this.#claimsByExport.set(exportKey, claims);
    const before = [...claims].filter((other) => overlaps(claim, other));
    claims.add(claim);
    try {
      await Promise.all(before.map((other) => other.released));
      return await work();
    } finally {
      claims.delete(claim);
      if (claims.size === 0) this.#claimsByExport.delete(exportKey);
      release();
    }
  }
}

function overlaps(one: Claim, other: Claim): boolean {
  return one.startBytes < other.endBytes && other.startBytes < one.endBytes;
}
