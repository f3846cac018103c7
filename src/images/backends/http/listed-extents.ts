import type { IncomingMessage } from 'node:http';
import { BadGatewayError } from '../../../base/errors.js';
import type { Extent, ExtentContext } from '../backend.js';
import { jsonEntries } from './json-entries.js';

/** A daemon that knows no pages tells all in one list, which is kept until it was used: 200 MiB. */
const extentsMax = 4_000_000;

export interface ExtentsListing {
  readonly context: ExtentContext;
  /** Where the first one begins. */
  readonly startBytes: number;
  /** Called with each piece of it. */
  readonly heard: () => void;
}

/**
 * Reads a list of extents, or a page of it.
 * @throws BadGatewayError when it is none: extents follow each other without gaps
 */
export async function listedExtents(
  answer: IncomingMessage,
  { context, startBytes, heard }: ExtentsListing,
): Promise<Extent[]> {
  const extents: Extent[] = [];
  let endBytes = startBytes;
  for await (const entry of jsonEntries(answer, heard)) {
    const extent = extentOf(entry, context);
    if (extent?.start !== endBytes || extents.length === extentsMax)
      throw new BadGatewayError('The host of the image told extents that cannot be');
    endBytes += extent.length;
    extents.push(extent);
  }
  return extents;
}

function extentOf(
  { start, length, zero, hole, dirty }: Readonly<Record<string, unknown>>,
  context: ExtentContext,
): Extent | undefined {
  if (!isPosition(start) || !isPosition(length) || length === 0 || !isPosition(start + length))
    return undefined;
  if (typeof zero !== 'boolean') return undefined;
  const extent = { start, length, zero, hole: hole === true };
  if (context === 'zero') return extent;
  return typeof dirty === 'boolean' ? { ...extent, dirty } : undefined;
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
