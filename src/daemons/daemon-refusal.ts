import type { IncomingMessage } from 'node:http';
import {
  BadGatewayError,
  ConflictError,
  NoSpaceError,
  NotAllowedError,
  NotFoundError,
  RangeNotSatisfiableError,
  type ServiceError,
  StorageError,
  UnavailableError,
} from '../base/errors.js';
import { readSmallBody } from './small-body.js';
import type { DaemonTarget } from './ticket-url.js';

/** A refusal is a line of text. */
const textCharactersMax = 200;
/** An hour: who is told more is told nonsense. */
const retryAfterSecondsMax = 3600;

/**
 * What the refusal of another daemon means to whoever asked this one: the same as if the image were here,
 * with the reason that it gave.
 * @param answer whose body nobody has read
 */
export async function daemonRefusal(answer: IncomingMessage, image: DaemonTarget): Promise<ServiceError> {
  const { statusCode: status = 0 } = answer;
  const text = reasonOf(await readSmallBody(answer), image);
  const said = text === '' ? `it answered with status ${status}` : text;
  switch (status) {
    case 401:
    case 403:
      return new NotAllowedError(`the host of the image refused: ${said}`);
    case 404:
      return new NotFoundError(`The host of the image does not have it: ${said}`);
    case 409:
      return new ConflictError(`The host of the image refused: ${said}`);
    case 416:
      return new RangeNotSatisfiableError(`The host of the image refused: ${said}`);
    case 429:
    case 503:
      return new UnavailableError(`The host of the image cannot do it now: ${said}`, retryAfterOf(answer));
    case 507:
      return new NoSpaceError({ cause: new Error(said) });
  }
  if (status >= 500) return new StorageError(`The host of the image failed: ${said}`);
  return new BadGatewayError(`The host of the image did not understand the request: ${said}`);
}

/** Other daemons name the ticket in their refusals, which is a secret. */
function reasonOf(body: Buffer, { path }: DaemonTarget): string {
  const id = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
  return body
    .toString()
    .replaceAll(id, '…')
    .replace(/^You are not allowed to access this resource: /, '')
    .replaceAll(/[^\P{C}]+/gu, ' ')
    .trim()
    .slice(0, textCharactersMax);
}

function retryAfterOf({ headers }: IncomingMessage): { retryAfterSeconds?: number } {
  const seconds = Number(headers['retry-after'] ?? NaN);
  return seconds >= 0 ? { retryAfterSeconds: Math.min(seconds, retryAfterSecondsMax) } : {};
}
