import type { IncomingMessage } from 'node:http';
import { BadGatewayError } from '../errors.js';
import { abortable } from '../http/abortable.js';
import { KiB } from '../units.js';

/** A real answer to OPTIONS has less than 300 bytes. */
const optionsBytesMax = 16 * KiB;

/**
 * Reads the body of a daemon's answer to OPTIONS.
 * @throws BadGatewayError when it is too large for one or breaks off, or the reason of `signal`
 */
export async function readOptionsBody(source: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
  return abortable(collect(source), signal);
}

/**
 * The capabilities without `unix_socket`: it is a socket of the daemon's host, and a client that shares an address with the proxy would
 * look for it on its own. What is not such a JSON object stays as it is.
 */
export function withoutUnixSocket(body: Buffer): Buffer {
  let capabilities: unknown;
  try {
    capabilities = JSON.parse(body.toString('utf8'));
  } catch {
    return body;
  }
  if (typeof capabilities !== 'object' || capabilities === null || !('unix_socket' in capabilities))
    return body;
  delete capabilities.unix_socket;
  return Buffer.from(JSON.stringify(capabilities));
}

async function collect(source: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > optionsBytesMax) break;
      chunks.push(chunk);
    }
  } catch (error: unknown) {
    throw new BadGatewayError('The host of the image broke off its answer', { cause: error });
  }
  if (sizeBytes > optionsBytesMax) {
    throw new BadGatewayError(
      `The host of the image answered OPTIONS with more than ${optionsBytesMax} bytes`,
    );
  }
  return Buffer.concat(chunks);
}
