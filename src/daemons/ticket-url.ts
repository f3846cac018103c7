import { StorageError } from '../base/errors.js';

/** What a daemon is asked for. */
export interface DaemonTarget {
  /** Scheme, host and port of the daemon. */
  readonly origin: URL;
  /** Path and query, percent-encoded. */
  readonly path: string;
}

// Checked before `new URL`, which drops tabs and line ends, reads `\` as `/` and resolves `..`:
// nothing may be there to be changed.
const urlForm =
  /^(?<origin>https?:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?)\/images\/(?<id>[^/?#\s\\]+)$/i;

/**
 * The image on another daemon that the url of a ticket names: `https://host:port/images/{id}`.
 * @param allowHttp take `http:` as well: only where TLS is off altogether
 * @throws StorageError when it is of another form; its message does not repeat the url
 */
export function daemonTargetOf(url: string, allowHttp: boolean): DaemonTarget {
  const groups = urlForm.exec(url)?.groups;
  const origin = URL.parse(groups?.['origin'] ?? '');
  if (groups === undefined || origin === null) {
    throw new StorageError('The image url is not of the form https://host:port/images/id');
  }
  if (origin.protocol !== 'https:' && !allowHttp) throw new StorageError('The image url is not an https url');
  return { origin, path: imagePath(decodeId(groups['id'] ?? '')) };
}

/** The path of an image on a daemon. One segment, whatever the id has in it. */
export function imagePath(ticketId: string): string {
  // Dots alone would be a step in the path.
  const segment = encodeURIComponent(ticketId);
  return `/images/${/^\.+$/.test(segment) ? segment.replaceAll('.', '%2E') : segment}`;
}

function decodeId(encodedId: string): string {
  try {
    return decodeURIComponent(encodedId);
  } catch (cause: unknown) {
    throw new StorageError('The image url is not percent-encoded UTF-8', { cause });
  }
}
