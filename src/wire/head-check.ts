import type { IncomingMessage } from 'node:http';
import { InvalidRequestError, UnsupportedVersionError, type ServiceError } from '../base/errors.js';

/**
 * What is wrong with the head of a request, whatever it asks for; undefined when nothing is. @param
 * requiresHost whether HTTP/1.1 requests must have a `Host` header, as the standard says
 */
export function headRefusal(request: IncomingMessage, requiresHost: boolean): ServiceError | undefined {
  const { httpVersion, rawHeaders } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return new UnsupportedVersionError(httpVersion);
  const hosts = hostHeaders(rawHeaders);
  // With two of them a proxy that reads the first and a server that reads the last would take the request
  // for different sites.
  if (hosts > 1) return new InvalidRequestError('Host header is there more than once');
  if (hosts === 0 && requiresHost && httpVersion === '1.1')
    return new InvalidRequestError('Host header is required');
  return undefined;
}

/** Node keeps only the first in `headers`. @param rawHeaders names and values in turn */
function hostHeaders(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count;
}
