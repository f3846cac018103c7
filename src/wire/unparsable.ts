import type { Socket } from 'node:net';
import { once } from 'node:events';
import { InvalidRequestError, UnsupportedTransferCodingError } from '../base/errors.js';
import { stopParsing } from '../node-internals/parser-detachment.js';
import { ClientConnection, type ConnectionLimits } from './client-connection.js';

interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly text: string;
  readonly allow?: string;
}

const badRequest: Refusal = { status: 400, reason: 'Bad Request', text: 'Request cannot be parsed' };

/**
 * What the parser says of `Transfer-Encoding: chunked, gzip`, and of others where `chunked` is not the last.
 */
const unsupportedCoding = 'HPE_INVALID_TRANSFER_ENCODING';

const plainHttp: Refusal = { status: 400, reason: 'Bad Request', text: 'This port speaks HTTPS' };

const unsupportedVersion: Refusal = {
  status: 505,
  reason: 'HTTP Version Not Supported',
  text: 'HTTP version is not supported, only 1.0 and 1.1',
};

const refusals: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    reason: 'Request Header Fields Too Large',
    text: 'Request line and headers are too large',
  },
  HPE_INVALID_VERSION: unsupportedVersion,
  // The preface of a client that speaks HTTP/2 without asking (RFC 9113 section 3.4).
  HPE_PAUSED_H2_UPGRADE: unsupportedVersion,
  HPE_INVALID_METHOD: { status: 405, reason: 'Method Not Allowed', text: 'Method is not supported' },
  [unsupportedCoding]: {
    status: 501,
    reason: 'Not Implemented',
    text: new UnsupportedTransferCodingError().message,
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    reason: 'Request Timeout',
    text: 'Request headers came too slowly',
  },
};

/**
 * Answers what Node's parser could not make a request of (the server's `clientError` event), after the
 * answers to the requests before it (RFC 9112 section 9.3.2), and ends the connection: where the next request
 * would begin cannot be known.
 * @param allowedMethods what the `Allow` header of a 405 says
 * @returns the status that it answered with; undefined when the failure belongs to a request, or nobody can
 * be answered
 */
export async function answerUnparsable(
  error: NodeJS.ErrnoException,
  socket: Socket,
  allowedMethods: readonly string[],
): Promise<number | undefined> {
  const connection = ClientConnection.find(socket);
  if (connection === undefined || !socket.writable || connection.lingering) {
    socket.destroy();
    return undefined;
  }
  // Node measures the time for a request head from the moment of connecting. A client that has sent nothing
  // has asked for nothing, so it gets no answer.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) {
    socket.destroy();
    return undefined;
  }
  if (error.code === 'HPE_INVALID_EOF_STATE') {
    connection.clientEnded();
    if (connection.exchanges.length === 0) socket.destroy();
    return undefined;
  }
  const last = connection.exchanges.at(-1);
  if (last?.bodyPending) {
    // The bytes that cannot be parsed are in the body of this request, so whoever reads the body answers.
    last.breakBody(new InvalidRequestError('Request body is malformed', { cause: error }));
    return undefined;
  }
  // Nothing that follows can be parsed either. Reading on would only report the same error again.
  stopParsing(socket);
  for (let before = connection.exchanges[0]; before !== undefined; before = connection.exchanges[0]) {
    await once(before.response, 'close');
  }
  if (connection.closed) return undefined;
  const refusal = refusalOf(error);
  socket.write(refusalBytes(refusal, allowedMethods));
  connection.linger();
  dropAtMost(socket, connection.limits.drainBytes);
  socket.resume();
  return refusal.status;
}

/** Stops reading from a connection after `drainBytes` more bytes. */
function dropAtMost(socket: Socket, drainBytes: number): void {
  const { bytesRead } = socket;
  socket.on('data', () => {
    if (socket.bytesRead - bytesRead > drainBytes) socket.pause();
  });
}

function refusalOf({ code = '', message }: NodeJS.ErrnoException): Refusal {
  // The parser uses the same code when there is a `Content-Length` as well. Then the request contradicts
  // itself, which is 400.
  if (code === unsupportedCoding && message.includes('Content-Length')) return badRequest;
  return refusals[code] ?? badRequest;
}

/**
 * Answers a client that speaks HTTP without TLS to a port for HTTPS, in its own language, and ends the
 * connection.
 * @returns the status that it answered with
 */
export function answerPlainHttp(socket: Socket, limits: ConnectionLimits): number {
  const connection = ClientConnection.accept(socket, limits);
  socket.write(refusalBytes(plainHttp, []));
  connection.linger();
  dropAtMost(socket, limits.drainBytes);
  return plainHttp.status;
}

function refusalBytes({ status, reason, text }: Refusal, allowedMethods: readonly string[]): string {
  const body = `${text}\n`;
  return [
    `HTTP/1.1 ${status} ${reason}`,
    'Content-Type: text/plain; charset=UTF-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(status === 405 ? [`Allow: ${allowedMethods.join(',')}`] : []),
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
