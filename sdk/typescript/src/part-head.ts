import { isPartOf } from '../transfer/http.js';

/** What was asked for. */
export interface AskedPart {
  readonly lengthBytes: number;
  /** The value of `Range`, if one was sent. */
  readonly range: string | undefined;
}

/** The head of an answer that has nothing but a part of an image behind it. */
export interface PartHead {
  /** Of the head, with the empty line after it. */
  readonly lengthBytes: number;
  /** The connection can be used again after the body. */
  readonly keepsAlive: boolean;
}

/** No service that sends an image has as much to say before it. */
export const headBytesMax = 16 * 1024;

/**
 * Looks at what has arrived of an answer.
 * @param bytes from its first on
 * @returns undefined while the head is not whole; false when it is of anything else than exactly that part:
 *   another status, length, range or coding, or no HTTP
 */
export function partHead(
  bytes: Uint8Array,
  { lengthBytes: bodyBytes, range }: AskedPart,
): PartHead | false | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const endOfHead = text.indexOf('\r\n\r\n');
  if (endOfHead < 0) return bytes.length < headBytesMax ? undefined : false;
  const [statusLine = '', ...lines] = text.slice(0, endOfHead).split('\r\n');
  if (!/^HTTP\/1\.1 206( |$)/.test(statusLine)) return false;
  let isOfLength = false;
  let keepsAlive = true;
  for (const line of lines) {
    const [, name, value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    switch (name?.toLowerCase()) {
      case undefined:
      case 'transfer-encoding':
      case 'content-encoding':
        return false;
      case 'content-length':
        if (value !== String(bodyBytes)) return false;
        isOfLength = true;
        break;
      case 'content-range':
        if (range !== undefined && !isPartOf(range, value)) return false;
        break;
      case 'connection':
        if (/(^|,)\s*close\s*(,|$)/i.test(value)) keepsAlive = false;
        break;
      default:
    }
  }
  return isOfLength && { lengthBytes: endOfHead + 4, keepsAlive };
}
