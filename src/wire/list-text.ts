import type { Exchange } from './exchange.js';
import { prefersJsonLines } from './headers/accept.js';

/**
 * Whether the client of a list would rather have a line of JSON for each of its items. A client of HTTP/1.0
 * gets the array: it knows by its last bracket alone that a list is whole.
 */
export function wantsJsonLines({ request: { headers, httpVersion } }: Exchange): boolean {
  return httpVersion === '1.1' && prefersJsonLines(headers.accept);
}

/** The text of a list, as a JSON array or as a line of JSON for each item (`application/x-ndjson`). */
export class ListText {
  #separator = '[';

  /** @param between what separates the items of an array */
  constructor(
    private readonly asLines: boolean,
    private readonly between: string,
  ) {}

  get contentType(): string {
    return this.asLines ? 'application/x-ndjson' : 'application/json';
  }

  /** The text of the next item, which is JSON. */
  item(json: string): string {
    if (this.asLines) return `${json}\n`;
    const text = this.#separator + json;
    this.#separator = this.between;
    return text;
  }

  /** The text after the last item. */
  end(): string {
    if (this.asLines) return '';
    return this.#separator === '[' ? '[]' : ']';
  }
}
