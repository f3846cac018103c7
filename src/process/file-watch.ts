import { unwatchFile, watchFile } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

/**
 * How long to wait after a change. Key and certificate are often written one after the other; reading them
 * in between would give a pair that does not belong together.
 */
const settleMilliseconds = 1000;

export interface Watched {
  /** Empty ones are left out. */
  readonly paths: readonly string[];
  /** How often to look at them; 0: never. */
  readonly intervalSeconds: number;
}

/**
 * Calls `changed` once for each time that files are replaced or written, as long as the process lives. It
 * looks at them in intervals: events of the file system are missed where a mounted secret is replaced through
 * links.
 */
export class FileWatch {
  #watched: Watched = { paths: [], intervalSeconds: 0 };
  #settling: NodeJS.Timeout | undefined;

  constructor(private readonly changed: () => void) {}

  /** Looks at these from now on, and at no others. */
  watch(watched: Watched): void {
    // Starting anew would miss a change between the last look and the first new one.
    if (isDeepStrictEqual(watched, this.#watched)) return;
    for (const path of this.#watched.paths) unwatchFile(path, this.#note);
    this.#watched = watched;
    const { paths, intervalSeconds } = watched;
    if (intervalSeconds === 0) return;
    for (const path of new Set(paths))
      if (path !== '') watchFile(path, { interval: intervalSeconds * 1000, persistent: false }, this.#note);
  }

  readonly #note = (): void => {
    if (this.#settling !== undefined) return;
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      this.changed();
    }, settleMilliseconds).unref();
  };
}
