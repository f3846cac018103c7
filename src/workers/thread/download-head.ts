import type { ByteRange } from '../../base/units.js';
import type { GrantedImage } from '../messages.js';

let second = -1;
let dateText = '';

/** The head of the answer to a download, the same as the main thread's (docs/protocol.md, "Reading"). */
export function downloadHead(
  { totalBytes, contentDisposition }: GrantedImage,
  { offsetBytes, lengthBytes }: ByteRange,
  { requestId, isPartial }: { readonly requestId: string; readonly isPartial: boolean },
): string {
  const status = isPartial ? '206 Partial Content' : '200 OK';
  const range = isPartial
    ? `Content-Range: bytes ${offsetBytes}-${offsetBytes + lengthBytes - 1}/${totalBytes}\r\n`
    : '';
  return (
    `HTTP/1.1 ${status}\r\n` +
    `X-Request-Id: ${requestId}\r\n` +
    'X-Content-Type-Options: nosniff\r\n' +
    'Content-Security-Policy: sandbox\r\n' +
    'Content-Type: application/octet-stream\r\n' +
    `Content-Length: ${lengthBytes}\r\n` +
    'Accept-Ranges: bytes\r\n' +
    `Content-Disposition: ${contentDisposition}\r\n` +
    range +
    `Date: ${httpDate()}\r\n` +
    'Connection: keep-alive\r\n\r\n'
  );
}

/** RFC 9110 section 5.6.7. Made once a second. */
function httpDate(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    dateText = new Date(now * 1000).toUTCString();
  }
  return dateText;
}
