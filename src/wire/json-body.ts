import type { IncomingMessage } from 'node:http';
import { InvalidRequestError, PayloadTooLargeError } from '../base/errors.js';
import { Exchange } from './exchange.js';
import { checkJsonShape } from './json-shape.js';

/**
 * A JSON number that was not written as an integer. No field takes one: because it is an object, it fails
 * every check for an integer.
 */
export class FractionalNumber {
  constructor(readonly source: string) {}
}

/** `parseJson` of a body that must be a JSON object. */
export function parseJsonObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  const value = parseJson(bytes, what);
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    value instanceof FractionalNumber
  ) {
    throw new InvalidRequestError(`Invalid ${what}: the body must be a JSON object`);
  }
  return value as Record<string, unknown>;
}

const integer = /^-?\d+$/;

/**
 * How many digits of an integer are read. Every limit for a field has fewer, and reading the 60,000 digits
 * that a body can hold takes milliseconds.
 */
const digitsMax = 24;

/**
 * Parses JSON without losing anything of use: integers beyond 2^53 become `bigint` (JSON source text
 * access), other numbers `FractionalNumber`, so that `1.0` and `1e400` are not mistaken for integers. An
 * integer with more than 24 digits is cut to as many, and still larger than any that is taken.
 * @throws InvalidRequestError with `what` in its text
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  checkJsonShape(bytes, what);
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return (JSON.parse as SourceAwareParse)(text, (_key, value, { source }) => {
      if (typeof value !== 'number' || source === undefined) return value;
      if (!integer.test(source)) return new FractionalNumber(source);
      return Number.isSafeInteger(value) ? value : BigInt(source.slice(0, digitsMax));
    });
  } catch {
    // The parser's own message quotes the body, which may hold a secret and would reach the log as a cause.
    throw new InvalidRequestError(`Invalid ${what}: the body is not valid JSON in UTF-8`);
  }
}

// TypeScript's library does not know the third argument of the reviver yet (ECMAScript 2026).
type SourceAwareParse = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/**
 * Reads a whole request body.
 * @throws PayloadTooLargeError as soon as it is known to be larger than `limitBytes`, InvalidRequestError
 * when it ends early
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw new PayloadTooLargeError(limitBytes);
  const exchange = Exchange.of(request);
  exchange.readyForBody();
  return exchange.waitForClient(collect(request, exchange, limitBytes));
}

function collect(request: IncomingMessage, exchange: Exchange, limitBytes: number): Promise<Buffer> {
  return new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let lengthBytes = 0;
    const finish = (error?: Error): void => {
      request.off('data', onData).off('end', onEnd).off('body-broken', onBroken).off('error', finish);
      exchange.signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve(Buffer.concat(chunks));
      else reject(error);
    };
    const onData = (chunk: Buffer): void => {
      lengthBytes += chunk.length;
      if (lengthBytes > limitBytes) {
        request.pause();
        finish(new PayloadTooLargeError(limitBytes));
      } else chunks.push(chunk);
    };
    const onEnd = (): void => {
      finish();
    };
    const onBroken = (): void => {
      finish(exchange.bodyBroken);
    };
    const onAbort = (): void => {
      finish(exchange.signal.reason as Error);
    };
    request.on('data', onData).on('end', onEnd).on('body-broken', onBroken).on('error', finish);
    exchange.signal.addEventListener('abort', onAbort);
    if (exchange.bodyBroken !== undefined) onBroken();
  });
}
