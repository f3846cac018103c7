import { ListText } from '../../wire/list-text.js';
import type { DigestRun } from '../checksum/block-digests.js';

/**
 * How many blocks are told at once, before other work of the process gets its turn: a million zero blocks
 * have 130 MB of text.
 */
export const digestsPerTurn = 512;

/** The text of a list of digests. */
export class DigestList extends ListText {
  /** The digest that was told last and its text: zero blocks have it in common. */
  #digest: Uint8Array | undefined;
  #hex = '';

  constructor(asLines: boolean) {
    super(asLines, ',\n');
  }

  /** The text of the blocks of `run` from the one of index `first` on to before that of `end`. */
  entries(run: DigestRun, first: number, end: number): readonly Uint8Array[] {
    this.add(run, first, end);
    return this.take();
  }

  /** Adds them without taking the text: by default all of `run`. */
  add({ offsetBytes, blockBytes, zero, digest, count }: DigestRun, first = 0, end = count): void {
    if (digest !== this.#digest) {
      this.#digest = digest;
      this.#hex = Buffer.from(digest).toString('hex');
    }
    const rest = `,"length":${blockBytes},"digest":"${this.#hex}"${zero ? ',"zero":true' : ''}}`;
    for (let index = first; index < end; index += 1) {
      this.beginItem();
      this.addText('{"start":');
      this.addNumber(offsetBytes + index * blockBytes);
      this.addText(rest);
      this.endItem();
    }
  }
}
