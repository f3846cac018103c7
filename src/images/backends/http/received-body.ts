import type { IncomingMessage } from 'node:http';
import { BadGatewayError } from '../../../base/errors.js';
import { DirectDownload } from '../../../node-internals/direct-download.js';

/**
 * Receives the body of an answer into `memory`, which it has to fill.
 * @param heard called with each piece
 * @throws BadGatewayError when the body is shorter or longer, or breaks off; nothing is received into the
 *   memory any more then
 */
export async function receivedBody(
  answer: IncomingMessage,
  memory: Uint8Array,
  heard: () => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  let filledBytes = 0;
  const direct = DirectDownload.of(answer, {
    target: () => (filledBytes < memory.length ? memory.subarray(filledBytes) : undefined),
    filled: (lengthBytes) => {
      filledBytes += lengthBytes;
      heard();
    },
  });
  const take = (piece: Buffer): void => {
    if (filledBytes + piece.length > memory.length) {
      reject(new BadGatewayError('The host of the image answered with more bytes than it was asked for'));
      return;
    }
    memory.set(piece, filledBytes);
    filledBytes += piece.length;
    heard();
  };
  // When the daemon breaks off, `error` comes before `close`; `close` is what is acted on.
  answer.on('error', () => undefined);
  answer.on('data', take);
  answer.once('end', resolve);
  answer.once('close', () => {
    if (!answer.complete) reject(new BadGatewayError('The host of the image broke off its answer'));
  });
  try {
    await promise;
  } finally {
    direct?.stop();
    answer.off('data', take);
  }
  if (filledBytes < memory.length)
    throw new BadGatewayError('The host of the image answered with fewer bytes than it was asked for');
}
