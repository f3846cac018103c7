import type { IncomingMessage } from 'node:http';
import { BadGatewayError } from '../base/errors.js';
import { abortable } from '../base/abortable.js';
import { KiB } from '../base/units.js';

/**
 * What is read whole. An answer to OPTIONS has less than 300 bytes, a daemon of ours streams longer lists.
 */
export const smallBodyBytesMax = 64 * KiB;

/**
 * Reads the body of a daemon's answer.
 * @throws BadGatewayError when it is too large for that or breaks off, or the reason of `signal`
 */
export async function readSmallBody(source: IncomingMessage, signal?: AbortSignal): Promise<Buffer> {
  return signal === undefined ? collect(source) : abortable(collect(source), signal);
}

async function collect(source: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > smallBodyBytesMax) break;
      chunks.push(chunk);
    }
  } catch (error: unknown) {
    throw new BadGatewayError('The host of the image broke off its answer', { cause: error });
  }
  if (sizeBytes > smallBodyBytesMax)
    throw new BadGatewayError(`The host of the image answered with more than ${smallBodyBytesMax} bytes`);
  return Buffer.concat(chunks);
}
