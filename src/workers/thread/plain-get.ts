import { processingIntervalHeader, signsOfLifeSeconds } from '../../wire/signs-of-life.js';

/** A download as nearly all clients ask for it. */
export interface PlainGet {
  readonly ticketId: string;
  /** Undefined for the whole image. `lastByte` is the last one of it, as in the header. */
  readonly range: { readonly firstByte: number; readonly lastByte: number } | undefined;
  /** By `X-Request-Id`, if it can be used as it is. */
  readonly requestId: string | undefined;
  /** How often it wants a sign of life until the answer begins; undefined if not at all. */
  readonly processingSeconds: number | undefined;
}

/** A longer head has something in it that is not for here. */
const headBytesMax = 2048;

const headEnd = '\r\n\r\n';
const requestLine = /^GET \/images\/([\w-]{1,64}) HTTP\/1\.1$/;
const headerLine = /^([A-Za-z-]{1,32}): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)$/;
const plainRange = /^bytes=(\d{1,15})-(\d{1,15})$/;

/** What headers must be that have a meaning for a download. */
const meaningful: Readonly<Record<string, RegExp>> = {
  host: /^[\w.:[\]-]+$/,
  range: plainRange,
  connection: /^keep-alive$/i,
  'x-request-id': /^[\w.-]{1,64}$/,
  [processingIntervalHeader]: /^\d{1,9}$/,
};

/** Headers that make no difference to a download of image data, whatever they say. */
const meaningless = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'user-agent',
  'cache-control',
  'pragma',
]);

/**
 * Recognises the plain GET of an image: one head and nothing else, in which everything is known to mean what
 * it seems to. It accepts a small part of RFC 9112 on purpose: whatever is not in it is for the parser of the
 * main thread, which knows all of it, and refuses what is wrong.
 * @param bytes all that the client has sent since its last request
 */
export function plainGet(bytes: Buffer): PlainGet | undefined {
  if (bytes.length > headBytesMax) return undefined;
  const text = bytes.toString('latin1');
  if (text.indexOf(headEnd) !== text.length - headEnd.length) return undefined;
  const [first = '', ...lines] = text.slice(0, -headEnd.length).split('\r\n');
  const [, ticketId] = requestLine.exec(first) ?? [];
  if (ticketId === undefined) return undefined;
  const headers = plainHeaders(lines);
  if (headers?.has('host') !== true) return undefined;
  const [, firstByte, lastByte] = plainRange.exec(headers.get('range') ?? '') ?? [];
  const range =
    firstByte === undefined ? undefined : { firstByte: Number(firstByte), lastByte: Number(lastByte) };
  const wanted = headers.get(processingIntervalHeader);
  return {
    ticketId,
    range,
    requestId: headers.get('x-request-id'),
    processingSeconds: wanted === undefined ? undefined : signsOfLifeSeconds(Number(wanted)),
  };
}

/** @returns those with a meaning, by their names in lower case; undefined where something is not plain */
function plainHeaders(lines: readonly string[]): ReadonlyMap<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, writtenName, value = ''] = headerLine.exec(line) ?? [];
    const name = writtenName?.toLowerCase() ?? '';
    if (meaningless.has(name)) continue;
    const isPlain = Object.hasOwn(meaningful, name) && meaningful[name]?.test(value) === true;
    if (!isPlain || headers.has(name)) return undefined;
    headers.set(name, value);
  }
  return headers;
}
