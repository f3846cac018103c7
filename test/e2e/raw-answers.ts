/** One response as it was on the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body is as long as `Content-Length` says, or has its last chunk. */
  readonly complete: boolean;
}

/**
 * Splits the responses of one connection; `1xx` ones count. Ours with a body say its length, or
 * come in chunks.
 * @param bytes what was received
 * @param headRequests how many responses from the first have a length but no body
 */
export function parseAnswers(bytes: Buffer, headRequests = 0): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = bytes.toString('latin1');
  while (rest !== '') {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd < 0) throw new Error(`Not a whole response head: ${JSON.stringify(rest.slice(0, 200))}`);
    const [statusLine = '', ...lines] = rest.slice(0, headEnd).split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3}) [ -~]+$/.exec(statusLine)?.[1];
    if (status === undefined) throw new Error(`Not a status line: ${JSON.stringify(statusLine)}`);
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const isHead = answers.length < headRequests;
    const isChunked = headers['transfer-encoding'] === 'chunked';
    const received = rest.slice(headEnd + 4);
    const { body, complete, lengthBytes } =
      isChunked && !isHead
        ? parseChunks(received)
        : parseLength(received, isHead ? 0 : Number(headers['content-length'] ?? 0));
    answers.push({ status: Number(status), headers, body, complete });
    rest = received.slice(lengthBytes);
  }
  return answers;
}

interface ReceivedBody extends Pick<RawAnswer, 'body' | 'complete'> {
  /** How much of what was received it takes. */
  readonly lengthBytes: number;
}

function parseLength(received: string, lengthBytes: number): ReceivedBody {
  const body = received.slice(0, lengthBytes);
  return { body, complete: body.length === lengthBytes, lengthBytes };
}

/** A chunked body without trailers (RFC 9112 section 7.1). */
function parseChunks(received: string): ReceivedBody {
  let body = '';
  let position = 0;
  for (;;) {
    const lineEnd = received.indexOf('\r\n', position);
    if (lineEnd < 0) return { body, complete: false, lengthBytes: received.length };
    const chunkBytes = Number.parseInt(received.slice(position, lineEnd), 16);
    const chunkStart = lineEnd + 2;
    if (chunkBytes === 0) return { body, complete: true, lengthBytes: chunkStart + 2 };
    body += received.slice(chunkStart, chunkStart + chunkBytes);
    position = chunkStart + chunkBytes + 2;
  }
}

/** The one response of a connection. */
export function parseAnswer(bytes: Buffer): RawAnswer {
  const [answer, ...more] = parseAnswers(bytes);
  if (answer === undefined || more.length > 0) {
    throw new Error(`Expected one response, got ${JSON.stringify(bytes.toString('latin1').slice(0, 500))}`);
  }
  return answer;
}

/** A request on the wire. `Host` is added. */
export function requestBytes(
  method: string,
  path: string,
  headers: readonly string[] = [],
  body = '',
): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', body].join('\r\n');
}
