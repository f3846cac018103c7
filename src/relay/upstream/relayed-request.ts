import type { IncomingMessage } from 'node:http';
import { prefersJsonLines } from '../../wire/headers/accept.js';
import { announcesContentDigest, contentDigestName } from '../../wire/headers/content-digest.js';
import { processingIntervalHeader } from '../../wire/signs-of-life.js';

/** Meant for one connection only (RFC 9110 section 7.6.1), besides those that `Connection` names. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The client's credentials are for the proxy. */
const credentials = new Set(['authorization', 'session-id', 'cookie', 'cookie2']);

/**
 * Said by the proxy itself, or not at all. `Host` must be the daemon's: the name that its certificate is
 * verified for is taken from it. Image data travels as it is, so nobody on the way is asked to compress it.
 */
const ownHeaders = new Set([
  'host',
  'expect',
  'content-length',
  'accept-encoding',
  'x-request-id',
  processingIntervalHeader,
]);

/**
 * What says which bytes are meant, where they go, how they are framed or coded, on which condition, or how
 * to answer. Without one of these a request would still be understood, as another: a PUT without
 * `Content-Range` writes at 0. So `Connection` cannot take them away; no sender may name them there (RFC
 * 9110 section 7.6.1), and one that does still means what the header says.
 */
const meaningful =
  /^(?:content-|if-|accept|access-control-|want-|upload-|prefer$|range$|origin$|cache-control$)/;

/** By lower-case name; the values of headers that came more than once in their order. */
export type RelayedHeaders = Record<string, string | string[]>;

/** The methods whose request body is relayed; what other methods bring along has no meaning to a daemon. */
const methodsWithBody = new Set(['PUT', 'PATCH', 'POST']);

/** Whether the request has a body that a daemon is to get. */
export function relaysBody({ method = '', headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined;
  return hasBody && methodsWithBody.has(method);
}

/** The client wants to know the verdict before it sends its body (RFC 9110 section 10.1.1). */
export function expectsContinue(request: IncomingMessage): boolean {
  return relaysBody(request) && request.headers.expect?.toLowerCase() === '100-continue';
}

/**
 * The headers of a client's request that go on to the daemon: end-to-end ones, without credentials. Its
 * framing is the one that was parsed: `Content-Length` as it was, else the body goes in chunks.
 * @param requestId by which the proxy calls the request, so that the daemon's log calls it the same
 */
export function relayedRequestHeaders(request: IncomingMessage, requestId: string): RelayedHeaders {
  // Without a prototype, as a client may call a header `constructor`.
  const relayed = Object.create(null) as RelayedHeaders;
  relayed['x-request-id'] = requestId;
  const dropped = droppedByConnection(request.headers.connection);
  const { rawHeaders } = request;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    if (hopByHop.has(name) || credentials.has(name) || ownHeaders.has(name) || dropped.has(name)) continue;
    const value = rawHeaders[index + 1] ?? '';
    const before = relayed[name];
    relayed[name] = before === undefined ? value : [before, value].flat();
  }
  const { 'content-length': contentLength } = request.headers;
  if (contentLength !== undefined && relaysBody(request)) relayed['content-length'] = contentLength;
  if (expectsContinue(request)) relayed['expect'] = '100-continue';
  if (announcesContentDigest(request) && relaysBody(request)) relayed['trailer'] = contentDigestName;
  // A daemon is asked by HTTP/1.1 and would send lines, of which this client could not tell that some are
  // missing (docs/protocol.md, "Extents").
  if (request.httpVersion !== '1.1' && prefersJsonLines(request.headers.accept)) delete relayed['accept'];
  return relayed;
}

/**
 * What goes on behind the body of a request. Anything else would have to be understood by nobody (RFC 9110
 * section 6.5.1), and so is dropped.
 */
export function relayedTrailers(request: IncomingMessage): Record<string, string> {
  const { [contentDigestName]: digest } = request.trailers;
  if (digest === undefined || !announcesContentDigest(request) || !sendable.test(digest)) return {};
  return { [contentDigestName]: digest };
}

/** Node's parser takes more than its client is ready to send. No digest has any of that. */
const sendable = /^[ -~]*$/;

const noNames: ReadonlySet<string> = new Set();

/** The headers that the client wants to be dropped on the way. */
function droppedByConnection(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined) return noNames;
  const names = connection.split(',').map((name) => name.trim().toLowerCase());
  return new Set(names.filter((name) => !meaningful.test(name)));
}
