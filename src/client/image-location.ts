import { UsageError } from './usage-error.js';

/** Where an image is: an image of a service, as its transfer url says. */
export interface ImageLocation {
  /** Scheme, host and port; `http://localhost` with a unix socket. */
  readonly baseUrl: string;
  /** As `node:net` takes it: with a leading NUL when it is abstract. */
  readonly socketPath: string | undefined;
  /** `/images/` and the ticket, percent-encoded; empty where the session of a proxy says which one. */
  readonly path: string;
}

/** The text is a url and no file. */
export function isImageLocation(text: string): boolean {
  return /^(https?|unix):\/\//.test(text);
}

/**
 * @param text `https://HOST:PORT/images/ID` or `unix:///PATH?id=ID`; an abstract socket is
 *   `unix://@NAME?id=ID`
 * @throws UsageError
 */
export function imageLocation(text: string): ImageLocation {
  if (!isImageLocation(text)) throw new UsageError(`${text} is no url of an image`);
  return text.startsWith('unix://') ? atUnixSocket(text) : atService(text);
}

function atService(text: string): ImageLocation {
  if (!URL.canParse(text)) throw new UsageError(`${text} is no valid url`);
  const { protocol, origin, pathname, username } = new URL(text);
  if (protocol !== 'https:') throw new UsageError('An image is reached by https:// or unix://');
  if (username !== '') throw new UsageError('The url of an image has no user in it');
  if (pathname !== '/' && !pathname.startsWith('/images/'))
    throw new UsageError('The url of an image is https://HOST:PORT/images/ID');
  return { baseUrl: origin, socketPath: undefined, path: pathname === '/' ? '' : pathname };
}

function atUnixSocket(text: string): ImageLocation {
  const [socket = '', query = ''] = text.slice('unix://'.length).split('?', 2);
  const id = new URLSearchParams(query).get('id') ?? '';
  if (!/^[/@]./.test(socket) || id === '')
    throw new UsageError('An image at a unix socket is unix:///PATH?id=ID');
  const path = decodeURIComponent(socket);
  return {
    baseUrl: 'http://localhost',
    socketPath: path.startsWith('@') ? `\0${path.slice(1)}` : path,
    path: `/images/${encodeURIComponent(id)}`,
  };
}
