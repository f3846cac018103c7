const headEnd = '\r\n\r\n';
const requestLine = /^[!-~]+ [!-~]+ HTTP\/1\.[01]\r\n/;
/** Of headers that say where a body ends, or that something else than an answer follows. */
const otherFraming = /\r\n(?:transfer-encoding|expect|upgrade)[ \t]*:/i;
const lengths = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r\n)/gi;
const anyLength = /\r\ncontent-length/gi;
/** No longer head is looked at; the main thread refuses those that are longer. */
const headBytesMax = 16 * 1024;

/**
 * How many bytes a request has, its body included.
 * @param bytes those that the client has sent of it, and of requests after it if there are
 * @returns undefined where that takes a parser: then its client is the main thread's from here on
 */
export function requestLength(bytes: Buffer): number | undefined {
  const head = bytes.toString('latin1', 0, headBytesMax);
  const end = head.indexOf(headEnd);
  if (end < 0) return undefined;
  // With the line end before the empty line.
  const lines = head.slice(0, end + 2);
  if (!requestLine.test(lines) || lines.startsWith('CONNECT') || otherFraming.test(lines)) return undefined;
  const named = lines.match(anyLength)?.length ?? 0;
  const [length, ...others] = [...lines.matchAll(lengths)].map(([, digits]) => Number(digits));
  if (others.length > 0 || named !== (length === undefined ? 0 : 1)) return undefined;
  const requestBytes = end + headEnd.length + (length ?? 0);
  // Its client does not wait for answers, and the main thread knows how many may wait.
  return requestBytes < bytes.length ? undefined : requestBytes;
}
