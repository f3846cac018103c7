import { BadGatewayError } from '../../base/errors.js';
import { KiB } from '../../base/units.js';

/** One extent has less than 150 bytes. */
const extentBytesMax = KiB;

/** What stands around extents: brackets, commas and white space, which may be a daemon's sign of life. */
const betweenExtents = /^[\s[\],]*$/;

export interface ExtentsClipOptions {
  /** Where the list was asked to begin. A daemon that knows no parts of lists begins at 0. */
  readonly startBytes?: number;
  /** Each extent is a line. */
  readonly asLines?: boolean;
}

/**
 * Ends a list of extents where a ticket of the proxy ends, while the list passes by: the daemon may have been
 * given a larger one. It is JSON of flat objects, so that an extent is what stands between two braces.
 */
export class ExtentsClip {
  /** What arrived of an extent that has not ended. */
  #begun = '';
  /** Where the next extent has to begin. */
  #nextBytes: number;
  #closed: boolean;
  #isFirst = true;
  readonly #asLines: boolean;

  constructor(
    private readonly endBytes: number,
    { startBytes = 0, asLines = false }: ExtentsClipOptions = {},
  ) {
    this.#nextBytes = startBytes;
    this.#asLines = asLines;
    // The end of lines is said by their framing alone.
    this.#closed = asLines;
  }

  /**
   * @returns what of the next piece goes on to the client; it may be empty
   * @throws BadGatewayError when it is no list of extents
   */
  push(piece: Buffer): Buffer<ArrayBuffer> {
    const text = this.#begun + piece.toString('latin1');
    this.#begun = '';
    let kept = '';
    for (let at = 0; at < text.length;) {
      const start = text.indexOf('{', at);
      kept += this.#between(text.slice(at, start < 0 ? text.length : start));
      if (start < 0) break;
      const last = text.indexOf('}', start);
      if (last < 0) {
        this.#begun = text.slice(start);
        if (this.#begun.length > extentBytesMax) throw noList();
        break;
      }
      kept += this.#extent(text.slice(start, last + 1));
      at = last + 1;
    }
    return Buffer.from(kept, 'latin1');
  }

  /** All of the list was pushed. @throws BadGatewayError when it has no end */
  end(): void {
    if (!this.#closed || this.#begun !== '') throw noList();
  }

  #between(text: string): string {
    if (this.#asLines) {
      if (text.trim() !== '') throw noList();
      return text.replaceAll('\n', '');
    }
    if (!betweenExtents.test(text)) throw noList();
    if (text.includes(']')) this.#closed = true;
    return this.#nextBytes < this.endBytes ? text : text.replaceAll(',', '');
  }

  #extent(text: string): string {
    if (this.#nextBytes >= this.endBytes) return '';
    const extent = parseExtent(text);
    const begins = extent.start === this.#nextBytes || (this.#isFirst && extent.start === 0);
    if (!begins) throw noList();
    this.#isFirst = false;
    this.#nextBytes = extent.start + extent.length;
    const isWhole = this.#nextBytes <= this.endBytes;
    const kept = isWhole ? text : JSON.stringify({ ...extent, length: this.endBytes - extent.start });
    return this.#asLines ? `${kept}\n` : kept;
  }
}

/** The list that `body` is, clipped. @throws BadGatewayError when it is none */
export function clipExtents(body: Buffer, clip: ExtentsClip): Buffer {
  const clipped = clip.push(body);
  clip.end();
  return clipped;
}

interface ListedExtent {
  readonly start: number;
  readonly length: number;
}

function parseExtent(text: string): ListedExtent {
  let extent: Partial<ListedExtent>;
  try {
    extent = JSON.parse(text) as Partial<ListedExtent>;
  } catch {
    throw noList();
  }
  const { start, length } = extent;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(length) || Number(length) < 1) throw noList();
  return extent as ListedExtent;
}

function noList(): BadGatewayError {
  return new BadGatewayError('The host of the image answered with no list of extents');
}
