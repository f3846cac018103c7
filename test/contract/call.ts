import type { Address } from '../support/address.js';
import { RawSocket } from '../support/raw-socket.js';
import { parseAnswers, requestBytes, type RawAnswer } from '../e2e/raw-answers.js';

/** A request as it is on the wire. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  /** The body stops arriving: what is sent of it is shorter than its length. */
  readonly stalls?: boolean;
}

/** The call with a body in a framing that the service does not know. */
export function inUnknownFraming({ method, path, headers = [] }: Call): Call {
  return { method, path, headers: [...headers, 'Transfer-Encoding: gzip, chunked'] };
}

/** Sends the call on a connection of its own and returns the only answer to it. */
export async function answerTo(address: Address, call: Call): Promise<RawAnswer> {
  const socket = await RawSocket.connect(address);
  try {
    await socket.send(bytesOf({ ...call, headers: ['Connection: close', ...(call.headers ?? [])] }));
    return onlyAnswer(await socket.readUntilClose(), call);
  } finally {
    socket.close();
  }
}

export function bytesOf({ method, path, headers = [], body, stalls = false }: Call): string {
  const lengthBytes = body === undefined ? undefined : Buffer.byteLength(body) + (stalls ? 100 : 0);
  const length = lengthBytes === undefined ? [] : [`Content-Length: ${lengthBytes}`];
  return requestBytes(method, path, [...length, ...headers], body);
}

export function onlyAnswer(bytes: Buffer, { method }: Call): RawAnswer {
  // When the parser refuses, the method is not known yet: that refusal has a body, which
  // clients drop with the connection.
  const unparsed = bytes.includes(' 431 ');
  const [answer, ...more] = parseAnswers(bytes, method === 'HEAD' && !unparsed ? 1 : 0);
  if (answer === undefined || more.length > 0) throw new Error(`${more.length + 1} answers instead of one`);
  return method === 'HEAD' ? { ...answer, body: '' } : answer;
}
