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

  /** Adds the next ones. */
  add(extents: readonly Extent[]): void {
    for (const { start, length, zero, hole, dirty = false } of extents) {
      this.beginItem();
      this.addText('{"start":');
      this.addNumber(start);
      this.addText(',"length":');
      this.addNumber(length);
      if (this.context === 'zero') {
        this.addText(zero ? ',"zero":true,"hole":' : ',"zero":false,"hole":');
        this.addText(hole ? 'true}' : 'false}');
      } else {
        this.addText(dirty ? ',"dirty":true,"zero":' : ',"dirty":false,"zero":');
        this.addText(zero ? 'true}' : 'false}');
      }
      this.endItem();
    }
  }
}
