import { StorageError } from '../../../base/errors.js';

/**
 * The absolute path that a `file:` url names (RFC 8089), percent-decoded. A url that could mean
 * another file than the one that was authorised is refused: relative, with `..` segments in
 * whatever spelling, of another host.
 * @throws StorageError; its message does not repeat the url
 */
export function filePath(url: string): string {
  const match = /^file:(?:\/\/(?<host>[^/]*)|(?!\/\/))(?<path>\/.*)$/is.exec(url);
  if (match?.groups === undefined) {
    throw refused('is not an absolute file url');
  }
  const host = (match.groups['host'] ?? '').toLowerCase();
  if (host !== '' && host !== 'localhost') {
    throw refused('names a file of another host');
  }
  const encodedPath = match.groups['path'] ?? '';
  // Left as they are they would be part of the name for one reader of the url and its end for another.
  if (/[?#]/.test(encodedPath)) {
    throw refused('has a query or a fragment');
  }
  const path = decode(encodedPath);
  if (path.includes('\0')) {
    throw refused('has a zero byte');
  }
  if (path.split('/').includes('..')) {
    throw refused('has a ".." segment');
  }
  return path;
}

function decode(encodedPath: string): string {
  try {
    return decodeURIComponent(encodedPath);
  } catch (cause: unknown) {
    throw refused('is not percent-encoded UTF-8', cause);
  }
}

function refused(why: string, cause?: unknown): StorageError {
  return new StorageError(`The image url ${why}`, { cause });
}
