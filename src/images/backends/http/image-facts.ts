import type { IncomingMessage } from 'node:http';
import { BadGatewayError, NotAllowedError } from '../../../base/errors.js';
import type { DaemonCalls } from '../../../daemons/daemon-calls.js';
import { readSmallBody } from '../../../daemons/small-body.js';
import { listedExtents } from './listed-extents.js';

/** What another daemon tells of an image and of itself. */
export interface ImageFacts {
  /** The words of what it can do besides what all daemons can; a daemon that is another program has none. */
  readonly extensions: readonly string[];
  readonly readersMax: number;
  readonly writersMax: number;
}

/** No image is worth more connections, whatever a daemon says. */
const connectionsMax = 8;

/**
 * @param writable it has to allow writing
 * @throws what the daemon refuses; BadGatewayError when it answers nonsense
 */
export async function imageFacts(calls: DaemonCalls, writable: boolean): Promise<ImageFacts> {
  const told = await calls.ask({ method: 'OPTIONS' }, jsonObject);
  if (writable && !namesIn(told['features']).includes('flush'))
    throw new NotAllowedError('the ticket at the host of the image is for reading only');
  return {
    extensions: namesIn(told['extensions']),
    readersMax: countIn(told['max_readers']),
    writersMax: countIn(told['max_writers']),
  };
}

/** How large the image is now. A daemon that is another program has no HEAD, and tells by its extents. */
export async function imageSize(calls: DaemonCalls, { extensions }: ImageFacts): Promise<number> {
  if (extensions.length > 0)
    return calls.ask({ method: 'HEAD' }, async ({ headers }) => lengthIn(headers['content-length']));
  const extents = await calls.ask({ method: 'GET', path: '/extents' }, (answer, heard) =>
    listedExtents(answer, { context: 'zero', startBytes: 0, heard }),
  );
  const last = extents.at(-1);
  return last === undefined ? 0 : last.start + last.length;
}

async function jsonObject(answer: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const body = await readSmallBody(answer);
  try {
    const value: unknown = JSON.parse(body.toString());
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Text that is no JSON is as good as a value that is no object.
  }
  throw new BadGatewayError('The host of the image answered with something else than its capabilities');
}

function namesIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}

function countIn(value: unknown): number {
  return Number.isInteger(value) ? Math.min(Math.max(1, value as number), connectionsMax) : 1;
}

function lengthIn(value: string | undefined): number {
  const length = /^\d{1,16}$/.test(value ?? '') ? Number(value) : NaN;
  if (!Number.isSafeInteger(length))
    throw new BadGatewayError('The host of the image does not tell its size');
  return length;
}
