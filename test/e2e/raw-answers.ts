/** One response as it was on the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body is as long as `Content-Length` says. */
  readonly complete: boolean;
}

/**
 * Splits the responses of one connection; `1xx` ones count. All of ours with a body say its length.
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
    const bodyBytes = answers.length < headRequests ? 0 : Number(headers['content-length'] ?? 0);
    const body = rest.slice(headEnd + 4, headEnd + 4 + bodyBytes);
    answers.push({ status: Number(status), headers, body, complete: body.length === bodyBytes });
    rest = rest.slice(headEnd + 4 + bodyBytes);
  }
  return answers;
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
