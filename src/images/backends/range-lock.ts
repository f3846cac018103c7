/** Ends the hold of a lock. Called once. */
export type Release = () => void;

interface Claim {
  readonly startBytes: number;
  /** Exclusive; `Infinity` for all that follows. */
  readonly endBytes: number;
  readonly exclusive: boolean;
  readonly released: Promise<void>;
}

/**
 * Locks on parts of one image, in bytes. Two claims conflict when they overlap and at least one of them
 * is exclusive. Served in order of arrival: a claim waits for each earlier one that it conflicts with,
 * granted or still waiting, and for none that is later; therefore no circle of waiting can form as long
 * as nobody claims while holding.
 */
export class RangeLock {
  readonly #claims = new Set<Claim>();

  /** Resolves when no conflicting claim made before this one is left. */
  async acquire(startBytes: number, endBytes: number, exclusive: boolean): Promise<Release> {
    let setReleased = () => {};
    const released = new Promise<void>((resolve) => {
      setReleased = resolve;
    });
    const claim = { startBytes, endBytes, exclusive, released };
    const conflicting = [...this.#claims].filter((earlier) => conflict(earlier, claim));
    this.#claims.add(claim);
    for (const earlier of conflicting) await earlier.released;
    return () => {
      this.#claims.delete(claim);
      setReleased();
    };
  }

  /** Runs `work` with that part held, and passes on its outcome. */
  async run<T>(startBytes: number, endBytes: number, exclusive: boolean, work: () => Promise<T>): Promise<T> {
    const release = await this.acquire(startBytes, endBytes, exclusive);
    try {
      return await work();
    } finally {
      release();
    }
  }
}

function conflict(one: Claim, other: Claim): boolean {
  return (
    (one.exclusive || other.exclusive) && one.startBytes < other.endBytes && other.startBytes < one.endBytes
  );
}
