import { NbdProtocolError } from './nbd-errors.js';

/**
 * Enough for servers that answer a read from several threads; most send chunks in
 * order, which is one piece.
 */
const piecesMax = 1024;

/** Which part of a read has been answered: its chunks may come in any order, but each byte exactly once. */
export class ReadCoverage {
  /** Sorted, disjoint and not touching. */
  readonly #pieces: { startBytes: number; endBytes: number }[] = [];

  /** @throws NbdProtocolError when a byte of it was there before */
  add(startBytes: number, endBytes: number): void {
    const pieces = this.#pieces;
    let at = pieces.length;
    // From the end, because chunks usually come in order.
    for (let before = pieces[at - 1]; before && before.startBytes >= startBytes; before = pieces[at - 1])
      at -= 1;
    const before = pieces[at - 1];
    const after = pieces[at];
    if ((before && before.endBytes > startBytes) || (after && after.startBytes < endBytes)) {
      throw new NbdProtocolError('the same data twice');
    }
    const joinsBefore = before?.endBytes === startBytes;
    const joinsAfter = after?.startBytes === endBytes;
    if (joinsBefore && joinsAfter) {
      before.endBytes = after.endBytes;
      pieces.splice(at, 1);
    } else if (joinsBefore) {
      before.endBytes = endBytes;
    } else if (joinsAfter) {
      after.startBytes = startBytes;
    } else {
      if (pieces.length === piecesMax)
        throw new NbdProtocolError('a read answered in too many scattered pieces');
      pieces.splice(at, 0, { startBytes, endBytes });
    }
  }

  isExactly(startBytes: number, endBytes: number): boolean {
    const [piece] = this.#pieces;
    return this.#pieces.length === 1 && piece?.startBytes === startBytes && piece.endBytes === endBytes;
  }
}
