import type { ByteRange } from '../../base/units.js';

export interface ObservationOptions {
  readonly range: ByteRange;
  /** Of storage when it began. */
  readonly incarnation: number | undefined;
  /** The operation whose own changes are what is being hashed. */
  readonly by?: object | undefined;
  /** Nothing was changing it then. */
  readonly isTrue: boolean;
  readonly onEnd: () => void;
}

/** Whether a part of an image has stayed what it was since this was made. */
export class Observation {
  readonly range: ByteRange;
  readonly by: object | undefined;
  readonly incarnation: number | undefined;
  readonly #onEnd: () => void;
  #isTrue: boolean;

  constructor({ range, incarnation, by, isTrue, onEnd }: ObservationOptions) {
    this.range = range;
    this.incarnation = incarnation;
    this.by = by;
    this.#isTrue = isTrue;
    this.#onEnd = onEnd;
  }

  /** @param incarnation of storage now: of another one nothing is known */
  holdsIn(incarnation: number | undefined): boolean {
    return this.#isTrue && incarnation !== undefined && this.incarnation === incarnation;
  }

  refute(): void {
    this.#isTrue = false;
  }

  end(): void {
    this.#onEnd();
  }
}
