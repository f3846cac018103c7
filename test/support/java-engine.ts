import { RawSocket } from './raw-socket.js';
import type { Address } from './address.js';

/** What came back, parsed only as far as the engine looks. */
export interface JavaAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: string;
  readonly body: string;
}

/**
 * One call of the engine's Java client at a control service: HTTP/1.1 without `Host` and without
 * `Content-Type`, `Content-Length` only with a body, one connection per call.
 */
export async function callAsJavaEngine(
  control: Address,
  method: string,
  path: string,
  body?: string,
): Promise<JavaAnswer> {
  const socket = await RawSocket.connect(control);
  try {
    const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
    await socket.sendHead(`${method} ${path} HTTP/1.1`, ...length);
    if (body !== undefined) await socket.send(Buffer.from(body, 'utf8'));
    const head = (await socket.readUntil('\r\n\r\n')).toString('latin1');
    const headLength = head.indexOf('\r\n\r\n') + 4;
    const headers = head.slice(0, headLength);
    const [, status = '0', reason = ''] = /^HTTP\/1\.1 (\d{3}) ?([^\r]*)\r/.exec(headers) ?? [];
    // An entity without a length lasts until the server closes the connection.
    const declared = /^content-length: (\d+)\r/im.exec(headers)?.[1];
    const whole =
      status === '204'
        ? socket.received.subarray(0, headLength)
        : declared === undefined
          ? await socket.readUntilClose()
          : await socket.readAtLeast(headLength + Number(declared));
    return {
      status: Number(status),
      reason,
      headers,
      body: whole.subarray(headLength).toString('utf8'),
    };
  } finally {
    socket.close();
  }
}
