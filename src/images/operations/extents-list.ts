import type { Extent, ExtentContext } from '../backends/backend.js';

/** The text of a list of extents, as a JSON array or as a line of JSON for each (`application/x-ndjson`). */
export class ExtentsList {
  #separator = '[';

  constructor(
    private readonly context: ExtentContext,
    private readonly asLines: boolean,
  ) {}

  get contentType(): string {
    return this.asLines ? 'application/x-ndjson' : 'application/json';
  }

  /** The text of the next ones. */
  entries(extents: readonly Extent[]): string {
    let text = '';
    for (const extent of extents) {
      const entry = JSON.stringify(this.#wireExtent(extent));
      text += this.asLines ? `${entry}\n` : this.#separator + entry;
      this.#separator = ', ';
    }
    return text;
  }

  /** The text after the last one. */
  end(): string {
    if (this.asLines) return '';
    return this.#separator === '[' ? '[]' : ']';
  }

  #wireExtent({ start, length, zero, hole, dirty }: Extent): object {
    if (this.context === 'zero') return { start, length, zero, hole };
    return { start, length, dirty: dirty ?? false, zero };
  }
}
