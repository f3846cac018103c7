import type { IncomingMessage } from 'node:http';
import { BadGatewayError } from '../../base/errors.js';

/**
 * The headers of a daemon's answer that go on to the client. Anything else would act in the proxy's origin,
 * where other users' sessions live: cookies, redirects, `Clear-Site-Data`, `Refresh`, policies, permissions
 * of other origins. All of these are end-to-end headers with a meaning, so a `Connection` header of the
 * daemon takes none of them away.
 *
 * The disposition goes before the length: behind it Node refuses to write names of files that are not ASCII.
 */
const relayedNames = [
  'Accept-Ranges',
  'Allow',
  'Content-Digest',
  'Content-Disposition',
  'Content-Length',
  'Content-Range',
  'Date',
  'Retry-After',
  'Upload-Offset',
  'Upload-Received',
].map((name) => [name, name.toLowerCase()] as const);

/** The content types of the images API. A browser would run or show others. */
const relayedTypes =
  /^(?:application\/(?:octet-stream|json|jose\+json|x-ndjson|problem\+json)|text\/plain)\s*(?:;[^,]*)?$/i;

const anyType = 'application/octet-stream';

const contentRangeForm = /^bytes (\d+)-(\d+)\/(?:\d+|\*)$/;

/** What the client gets to see of the head of a daemon's answer. */
export interface AnswerHead {
  readonly status: number;
  /** Names and values in turn. */
  readonly headers: string[];
}

/**
 * Judges the head of a daemon's answer, and says what of it goes on to the client. What is wrong with it is
 * found here, because the client could not be told any more once its own answer has begun.
 * @throws BadGatewayError when it can be no answer of the images API
 */
export function answerHead(answer: IncomingMessage, method: string | undefined): AnswerHead {
  const { statusCode: status = 0, headers } = answer;
  // No operation is answered with a redirect, or with less than 200 in the end. A client that follows one
  // would be led, with its credentials, wherever the daemon wants.
  if (status < 200 || (status > 299 && status < 400) || status > 599) {
    throw new BadGatewayError(`The host of the image answered with status ${status}`);
  }
  const hasBody = method !== 'HEAD' && status !== 204;
  if (hasBody) checkFraming(answer);
  if (status === 206) checkPart(answer);
  const relayed: string[] = [];
  for (const [name, key] of relayedNames) {
    const value = headers[key];
    if (typeof value === 'string' && (status !== 204 || key !== 'content-length')) relayed.push(name, value);
  }
  const type = contentType(answer, hasBody);
  if (type !== undefined) relayed.push('Content-Type', type);
  return { status, headers: relayed };
}

/** Where a body ends, and what its bytes stand for, is never guessed: they may be those of an image. */
function checkFraming({ headers }: IncomingMessage): void {
  const {
    'content-length': length,
    'transfer-encoding': transferEncoding,
    'content-encoding': contentEncoding = 'identity',
  } = headers;
  if (length === undefined && transferEncoding === undefined) {
    throw new BadGatewayError('The answer of the host of the image does not say how long it is');
  }
  if (transferEncoding !== undefined && transferEncoding.toLowerCase() !== 'chunked') {
    throw new BadGatewayError('The answer of the host of the image has an unknown transfer coding');
  }
  if (contentEncoding.toLowerCase() !== 'identity') {
    throw new BadGatewayError('The answer of the host of the image is compressed');
  }
}

/** A part of an image must say which part it is, and that must agree with its length. */
function checkPart({ headers }: IncomingMessage): void {
  const [, first, last] = contentRangeForm.exec(headers['content-range'] ?? '') ?? [];
  const lengthBytes = Number(last) - Number(first) + 1;
  const { 'content-length': contentLength = lengthBytes } = headers;
  if (first === undefined || lengthBytes !== Number(contentLength)) {
    throw new BadGatewayError('The host of the image does not say which part of it the answer is');
  }
}

function contentType({ headers }: IncomingMessage, hasBody: boolean): string | undefined {
  const { 'content-type': type, 'content-length': contentLength } = headers;
  if (type === undefined) return hasBody && contentLength !== '0' ? anyType : undefined;
  return relayedTypes.test(type) ? type : anyType;
}
