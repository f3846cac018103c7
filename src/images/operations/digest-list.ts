import type { DigestRun } from '../checksum/block-digests.js';

/** The text of a list of digests, as a JSON array or as a line of JSON for each (`application/x-ndjson`). */
export class DigestList {
  #separator = '[';
  /** The digest that was told last and its text: zero blocks have it in common. */
  #digest: Uint8Array | undefined;
  #hex = '';

  constructor(private readonly asLines: boolean) {}

  /** The text of the blocks of `run` from the one of index `first` on to before that of `end`. */
  entries({ offsetBytes, blockBytes, zero, digest }: DigestRun, first: number, end: number): string {
    if (digest !== this.#digest) {
      this.#digest = digest;
      this.#hex = Buffer.from(digest).toString('hex');
    }
    const rest = `,"length":${blockBytes},"digest":"${this.#hex}"${zero ? ',"zero":true' : ''}}`;
    let text = '';
    for (let index = first; index < end; index += 1) {
      const entry = `{"start":${offsetBytes + index * blockBytes}${rest}`;
      text += this.asLines ? `${entry}\n` : this.#separator + entry;
      this.#separator = ',\n';
    }
    return text;
  }

  end(): string {
    if (this.asLines) return '';
    return this.#separator === '[' ? '[]' : ']';
  }
}
