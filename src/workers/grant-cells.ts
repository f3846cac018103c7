/** Each on cache lines of its own: a thread writes its cell twice for each request. */
const intsPerCell = 16;
/**
 * The number of the grant; negative when nothing begins by it any more, 0 when nothing may run by it either.
 */
const holder = 0;
/** How many threads are reading, or about to look whether they may. */
const reading = 1;
/** How many are answering: after the last read what was read still has to leave. */
const answering = 2;

/** A grant, as threads know it. */
export interface Grant {
  readonly cell: number;
  /** Tells it from others that had or will have the cell. */
  readonly number: number;
}

/**
 * The grants that threads may read images by, in memory that they share with the main thread. A thread
 * says in a cell that it reads and then looks whether it may, the main thread takes the grant back and then
 * looks whether somebody reads: the one or the other sees it, as these accesses have one order for all.
 */
export class GrantCells {
  readonly #ints: Int32Array;
  /** Of the main thread alone. */
  readonly #free: number[] = [];
  #used = 0;
  #lastNumber = 0;

  constructor(readonly memory: SharedArrayBuffer) {
    this.#ints = new Int32Array(memory);
  }

  /** @param count grants that there may be at once, 64 bytes each, which take memory when they are used */
  static create(count: number): GrantCells {
    return new GrantCells(new SharedArrayBuffer(count * intsPerCell * Int32Array.BYTES_PER_ELEMENT));
  }

  /** @returns undefined when there are as many as may be */
  grant(): Grant | undefined {
    const cell = this.#free.pop() ?? this.#used;
    if ((cell + 1) * intsPerCell > this.#ints.length) return undefined;
    if (cell === this.#used) this.#used += 1;
    // Positive, and as good as never the same again.
    this.#lastNumber = (this.#lastNumber % 0x7fff_ffff) + 1;
    Atomics.store(this.#ints, placeOf(cell) + holder, this.#lastNumber);
    return { cell, number: this.#lastNumber };
  }

  /** No download begins any more, and those that run go on. */
  suspend({ cell, number }: Grant): void {
    Atomics.compareExchange(this.#ints, placeOf(cell) + holder, number, -number);
  }

  /** No download begins any more, and those that run are to end. */
  revoke({ cell }: Grant): void {
    Atomics.store(this.#ints, placeOf(cell) + holder, 0);
  }

  /** Its cell may have another: it was revoked, nothing runs, and what was sent is accounted for. */
  release({ cell }: Grant): void {
    this.#free.push(cell);
  }

  isReading({ cell }: Grant): boolean {
    return Atomics.load(this.#ints, placeOf(cell) + reading) > 0;
  }

  isAnswering({ cell }: Grant): boolean {
    return Atomics.load(this.#ints, placeOf(cell) + answering) > 0;
  }

  isRevoked({ cell, number }: Grant): boolean {
    return Math.abs(Atomics.load(this.#ints, placeOf(cell) + holder)) !== number;
  }

  /** A thread is about to read; it is to end both whatever the answer is. @returns whether it may */
  enter({ cell, number }: Grant): boolean {
    Atomics.add(this.#ints, placeOf(cell) + answering, 1);
    Atomics.add(this.#ints, placeOf(cell) + reading, 1);
    return Atomics.load(this.#ints, placeOf(cell) + holder) === number;
  }

  /** It reads no more. @returns whether somebody may wait for that */
  endReading(grant: Grant): boolean {
    Atomics.sub(this.#ints, placeOf(grant.cell) + reading, 1);
    return this.isRevoked(grant);
  }

  endAnswering({ cell }: Grant): void {
    Atomics.sub(this.#ints, placeOf(cell) + answering, 1);
  }
}

function placeOf(cell: number): number {
  return cell * intsPerCell;
}
