import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';

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

/** The client's credentials are for the proxy, and a daemon's cookies would be taken for those of the proxy's site. */
const credentials = new Set([
  'authorization',
  'session-id',
  'cookie',
  'cookie2',
  'set-cookie',
  'set-cookie2',
]);

// `Host` must be the daemon's: the name that its certificate is verified for is taken from it.
const ownRequestHeaders = new Set(['host', 'expect', 'content-length', 'x-request-id']);
const ownResponseHeaders = new Set(['cache-control', 'x-request-id']);

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
 * The headers of a client's request that go on to the daemon: end-to-end ones, without credentials. Its framing is the one that
 * was parsed: `Content-Length` as it was, else the body goes in chunks.
 * @param requestId by which the proxy calls the request, so that the daemon's log calls it the same
 */
export function forwardedRequestHeaders(request: IncomingMessage, requestId: string): OutgoingHttpHeaders {
  // Without a prototype, as a client may call a header `constructor`.
  const forwarded = Object.create(null) as Record<string, string | string[]>;
  forwarded['x-request-id'] = requestId;
  const dropped = namedByConnection(request.headers.connection);
  const { rawHeaders } = request;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    if (isDropped(name, dropped) || ownRequestHeaders.has(name)) continue;
    const value = rawHeaders[index + 1] ?? '';
    const before = forwarded[name];
    forwarded[name] = before === undefined ? value : [before, value].flat();
  }
  const { 'content-length': contentLength } = request.headers;
  if (contentLength !== undefined && relaysBody(request)) forwarded['content-length'] = contentLength;
  if (expectsContinue(request)) forwarded['expect'] = '100-continue';
  return forwarded;
}

/**
 * The headers of a daemon's answer that go on to the client, names and values in turn, as they were written and in their order.
 * CORS headers are the proxy's own: with the daemon's beside them browsers would refuse both.
 */
export function forwardedResponseHeaders(response: IncomingMessage): string[] {
  const { rawHeaders } = response;
  const forwarded: string[] = [];
  const dropped = namedByConnection(response.headers.connection);
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const key = name.toLowerCase();
    if (isDropped(key, dropped) || ownResponseHeaders.has(key) || key.startsWith('access-control-')) continue;
    forwarded.push(name, value);
  }
  return forwarded;
}

function isDropped(name: string, namedByPeer: ReadonlySet<string>): boolean {
  return hopByHop.has(name) || credentials.has(name) || namedByPeer.has(name);
}

const noNames: ReadonlySet<string> = new Set();

function namedByConnection(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined) return noNames;
  const names = new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
  // Where the body ends is not for this header to say.
  names.delete('content-length');
  return names;
}
