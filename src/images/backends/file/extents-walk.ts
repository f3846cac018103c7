import { SEEK_DATA, SEEK_HOLE } from '../../../native/storage-calls.js';

/** A part of the file: where it begins, and where it ends. */
export interface FilePart {
  readonly startBytes: number;
  readonly endBytes: number;
}

/** Where an extent ends, of which the one before tells the beginning; negative where it reads as zeroes. */
export type ExtentEnd = number;

/**
 * The way along a part of a sparse file, from one end of an extent to the next: which `lseek(2)` comes next,
 * and what its answer means. Who asks the file is another matter, so that it may be a thread that waits or
 * one that does not. The file may change meanwhile; the extents are then a mix of before and after, but
 * always without gaps and as long as the part. Where the file system cannot tell, or fails to, all of the
 * rest is data: that is never wrong, and if the storage is broken, reading will say so.
 */
export class ExtentsWalk {
  #atBytes: number;
  readonly #endBytes: number;
  #whence = SEEK_DATA;

  constructor({ startBytes, endBytes }: FilePart) {
    this.#atBytes = startBytes;
    this.#endBytes = endBytes;
  }

  isOver(): boolean {
    return this.#atBytes >= this.#endBytes;
  }

  /** What is still to be walked. */
  get rest(): FilePart {
    return { startBytes: this.#atBytes, endBytes: this.#endBytes };
  }

  /** Where to look from next. */
  get offsetBytes(): number {
    return this.#atBytes;
  }

  /** What to look for next. */
  get whence(): number {
    return this.#whence;
  }

  /**
   * Goes on by the answer of the file.
   * @param positionBytes where it is; `undefined` when the file system can't tell
   * @returns the end of the extent that is known by it, 0 when none is
   */
  answered(positionBytes: number | undefined): ExtentEnd {
    if (this.#whence === SEEK_HOLE) {
      // No way forward means that the data was deallocated between two looks. Looking again might never end.
      const hasMoved = positionBytes !== undefined && positionBytes > this.#atBytes;
      this.#goTo(hasMoved ? positionBytes : this.#endBytes, SEEK_DATA);
      return this.#atBytes;
    }
    if (positionBytes === undefined) {
      this.#goTo(this.#endBytes, SEEK_DATA);
      return this.#atBytes;
    }
    const isHole = positionBytes > this.#atBytes;
    this.#goTo(Math.max(positionBytes, this.#atBytes), SEEK_HOLE);
    return isHole ? -this.#atBytes : 0;
  }

  /** Somebody else has walked up to here. */
  wentTo(positionBytes: number): void {
    this.#goTo(positionBytes, SEEK_DATA);
  }

  #goTo(positionBytes: number, whence: number): void {
    this.#atBytes = Math.min(positionBytes, this.#endBytes);
    this.#whence = whence;
  }
}

/**
 * What a failed `lseek` says. ENXIO means that nothing of what was looked for follows, or that the file
 * became shorter.
 * @param code the name of the errno
 */
export function positionOfFailure(code: string | undefined): number | undefined {
  return code === 'ENXIO' ? Infinity : undefined;
}
