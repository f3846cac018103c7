import type { IncomingMessage } from 'node:http';
import {
  InvalidRequestError,
  UnsupportedMediaTypeError,
  UnsupportedTransferCodingError,
  type ServiceError,
} from '../../base/errors.js';

/**
 * Why the framing of a request is refused; undefined when it is not. Node's parser lets every coding pass
 * that has `chunked` as the last one, and hands out what is still coded by those before it.
 */
export function framingRefusal({ headers, httpVersion }: IncomingMessage): ServiceError | undefined {
  const { 'transfer-encoding': coding } = headers;
  if (coding === undefined) return undefined;
  // RFC 9112 section 6.1: HTTP/1.0 has no transfer codings, so a proxy on the way may have taken the body to
  // end somewhere else.
  if (httpVersion === '1.0') return new InvalidRequestError('HTTP/1.0 has no Transfer-Encoding');
  return coding.toLowerCase() === 'chunked' ? undefined : new UnsupportedTransferCodingError();
}

/**
 * @throws UnsupportedMediaTypeError when the bytes of the body are not what they stand for, but compressed
 */
export function refuseCodedBody({ headers }: IncomingMessage): void {
  const { 'content-encoding': codings = 'identity' } = headers;
  for (const coding of codings.split(',')) {
    if (['', 'identity'].includes(coding.trim().toLowerCase())) continue;
    throw new UnsupportedMediaTypeError('Content-Encoding is not supported, send the bytes as they are');
  }
}

/**
 * For image data, which is taken as it comes whatever its type says: only what surely is no image is refused.
 * @throws UnsupportedMediaTypeError when the body is compressed, or has image data only between other things
 */
export function refuseWrappedBody(request: IncomingMessage): void {
  refuseCodedBody(request);
  const { rawHeaders } = request;
  // This looks at every Content-Type header that was sent, as it was sent: `headers` keeps the first one
  // only, and the application removes it when it is malformed.
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() !== 'content-type') continue;
    if (!/^multipart\//i.test(rawHeaders[index + 1] ?? '')) continue;
    throw new UnsupportedMediaTypeError('multipart bodies are not supported, send the image data alone');
  }
}
