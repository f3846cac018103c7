/** So many parts a period has. */
const partsOfPeriod = 15;

/**
 * Visits each of many members once in a period. They share one timer, which runs only while there are any,
 * and are spread over the period, so that no turn of the event loop has to do with all of them.
 */
export class SpreadInterval<T> {
  readonly #parts = Array.from({ length: partsOfPeriod }, () => new Set<T>());
  #added = 0;
  #count = 0;
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly periodSeconds: number,
    private readonly visit: (member: T) => void,
  ) {}

  /** The first visit is within a period, further ones each a period later. @returns ends it; idempotent */
  add(member: T): () => void {
    const part = this.#parts[this.#added++ % partsOfPeriod];
    part?.add(member);
    this.#count += 1;
    this.#timer ??= setInterval(
      () => {
        this.#tick();
      },
      (this.periodSeconds * 1000) / partsOfPeriod,
    );
    return () => {
      if (part?.delete(member) === true) this.#removed();
    };
  }

  #removed(): void {
    this.#count -= 1;
    if (this.#count > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const part = this.#parts[this.#turn++ % partsOfPeriod] ?? [];
    for (const member of part) this.visit(member);
  }
}
