import { watchFile } from 'node:fs';

/** Key and certificate are often written one after the other; read between the two they would not belong together. */
const settleMilliseconds = 1000;

/**
 * Calls `changed` once for each time that files are replaced or written, as long as the process lives. It looks at them every
 * `intervalSeconds`, never when that is 0: events of the file system are missed where a mounted secret is replaced through links.
 * @param paths empty ones are left out
 */
export function watchFiles(paths: readonly string[], intervalSeconds: number, changed: () => void): void {
  if (intervalSeconds === 0) return;
  let settling: NodeJS.Timeout | undefined;
  const note = (): void => {
    settling ??= setTimeout(() => {
      settling = undefined;
      changed();
    }, settleMilliseconds).unref();
  };
  for (const path of new Set(paths))
    if (path !== '') watchFile(path, { interval: intervalSeconds * 1000, persistent: false }, note);
}
