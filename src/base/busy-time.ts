/** Wall time during which at least one of several overlapping pieces of work was under way. */
export class BusyTime {
  #running = 0;
  #sinceMilliseconds = 0;
  #totalMilliseconds = 0;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** A piece of work begins; `leave` is called when it has ended. */
  enter(): void {
    if (this.#running === 0) this.#sinceMilliseconds = this.now();
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#totalMilliseconds += this.now() - this.#sinceMilliseconds;
  }

  /** Measures `work` until its promise settles. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.enter();
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  /** The time so far, what is under way included. */
  get seconds(): number {
    const runningMilliseconds = this.#running > 0 ? this.now() - this.#sinceMilliseconds : 0;
    return (this.#totalMilliseconds + runningMilliseconds) / 1000;
  }
}
