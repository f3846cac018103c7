import { ListText } from '../../wire/list-text.js';
import type { Extent, ExtentContext } from '../backends/backend.js';

/** The text of a list of extents. */
export class ExtentsList extends ListText {
  constructor(
    private readonly context: ExtentContext,
    asLines: boolean,
  ) {
    super(asLines, ', ');
  }

  /** The text of the next ones. */
  entries(extents: readonly Extent[]): string {
    let text = '';
    for (const extent of extents) text += this.item(JSON.stringify(this.#wireExtent(extent)));
    return text;
  }

  #wireExtent({ start, length, zero, hole, dirty }: Extent): object {
    if (this.context === 'zero') return { start, length, zero, hole };
    return { start, length, dirty: dirty ?? false, zero };
  }
}
