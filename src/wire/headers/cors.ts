import type { IncomingMessage, ServerResponse } from 'node:http';

export interface CorsPolicy {
  readonly allowedMethods: readonly string[];
  readonly maxAgeSeconds: number;
}

// `*` does not cover Authorization (Fetch standard), and old browsers do not know `*` here at all: name what
// our clients send.
const allowedHeaders = [
  '*',
  'Authorization',
  'Cache-Control',
  'Content-Digest',
  'Content-Range',
  'Content-Type',
  'Pragma',
  'Prefer',
  'Range',
  'Session-Id',
  'Upload-Parallel',
  'Want-Content-Digest',
].join(', ');

const exposedHeaders = [
  'Content-Digest',
  'Content-Range',
  'Content-Length',
  'Content-Disposition',
  'Session-Id',
  'Allow',
  'Accept-Ranges',
  'Link',
  'Location',
  'Preference-Applied',
  'Retry-After',
  'Upload-Offset',
  'Upload-Received',
  'X-Request-Id',
].join(', ');

/**
 * Sets the CORS headers of the Fetch standard on a response before anything else happens to it, so that
 * refusals carry them as well: without them a browser cannot show the text. A request without `Origin` gets
 * none.
 *
 * Written by hand, because the ready-made plug-ins answer 400 to an OPTIONS request that is no preflight,
 * and image clients begin with just such a request.
 */
export function setCorsHeaders(request: IncomingMessage, response: ServerResponse, policy: CorsPolicy): void {
  if (request.headers.origin === undefined) return;
  response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Access-Control-Expose-Headers', exposedHeaders);
  response.setHeader('Access-Control-Max-Age', String(policy.maxAgeSeconds));
  if (request.headers['access-control-request-headers'] !== undefined) {
    response.setHeader('Access-Control-Allow-Headers', allowedHeaders);
  }
  if (isPreflight(request)) {
    response.setHeader('Access-Control-Allow-Methods', policy.allowedMethods.join(', '));
  }
}

/** A browser's question whether it may send the real request (Fetch standard, CORS-preflight). */
export function isPreflight(request: IncomingMessage): boolean {
  return request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
}
