import { StorageError } from '../../../base/errors.js';
import { type ByteRange, GiB } from '../../../base/units.js';
import type { Extent, ExtentContext } from '../backend.js';
import { MergedExtents } from '../merged-extents.js';
import { coveredBytes, overlay, type Stretch } from './nbd-block-status.js';
import { NbdConnectionError } from './nbd-errors.js';
import type { NbdExport } from './nbd-handshake.js';
import type { BlockStatus } from './nbd-pending-request.js';

/** QEMU refuses more; it also bounds how much of the list is in memory. */
const requestBytesMax = 2 * GiB;

/** An answer may have a million extents, of which a client that reads slowly wants only a few in memory. */
const listLengthMax = 1000;

/** NBD_STATE_ZERO of base:allocation. */
const zeroFlag = 1 << 1;
/** Bit 0 of a qemu:dirty-bitmap. */
const dirtyFlag = 1 << 0;

export type AskBlockStatus = (range: ByteRange) => Promise<BlockStatus>;

const whole: ByteRange = { offsetBytes: 0, lengthBytes: Infinity };

/**
 * The extents of an export, or of a part of it, in order, neighbours that are alike merged, in lists of at
 * least one. Where the server cannot tell, or fails to, the rest is one extent of data (changed data, in the
 * dirty context): reading it is always right.
 * @param ask sends one BLOCK_STATUS for a range of at most 2 GiB; at most one is ahead of what
 *   the reader of the extents took
 */
export async function* nbdExtents(
  { sizeBytes, blockSizes, contexts }: NbdExport,
  context: ExtentContext,
  ask: AskBlockStatus,
  { offsetBytes, lengthBytes: partBytes } = whole,
): AsyncGenerator<readonly Extent[], void, undefined> {
  const reading = context === 'dirty' ? dirtyReading(contexts) : zeroReading(contexts);
  const endBytes = Math.min(sizeBytes, offsetBytes + partBytes);
  if (offsetBytes >= endBytes) return;
  if (reading === undefined) {
    yield [unknownExtent(context, offsetBytes, endBytes - offsetBytes)];
    return;
  }
  const { minimumBytes } = blockSizes;
  // Requests have to begin and end at a block, or where the export ends.
  const askedEndBytes = Math.min(sizeBytes, Math.ceil(endBytes / minimumBytes) * minimumBytes);
  const rangeAt = (position: number): ByteRange => ({
    offsetBytes: position,
    lengthBytes: Math.min(requestBytesMax, askedEndBytes - position),
  });
  const merged = new MergedExtents();
  let at = offsetBytes - (offsetBytes % minimumBytes);
  const add = (extent: Extent): void => {
    const start = Math.max(extent.start, offsetBytes);
    const end = Math.min(extent.start + extent.length, endBytes);
    if (start < end) merged.add({ ...extent, start, length: end - start });
  };
  let asked: Promise<BlockStatus> | undefined = askAhead(ask, rangeAt(at));
  try {
    while (asked !== undefined) {
      const range = rangeAt(at);
      const answers = await answersOf(asked, reading.ids);
      const covered = coveredBytes(answers, range.lengthBytes);
      // The next request has to begin at a block.
      const lengthBytes = covered === range.lengthBytes ? covered : covered - (covered % minimumBytes);
      if (lengthBytes === 0) {
        asked = undefined;
        add(unknownExtent(context, at, endBytes - at));
        break;
      }
      const end = at + lengthBytes;
      asked = end < endBytes ? askAhead(ask, rangeAt(end)) : undefined;
      for (const stretch of overlay(answers, lengthBytes)) {
        add(reading.extentOf(at, stretch));
        at += stretch.lengthBytes;
        if (merged.completeCount === listLengthMax) yield merged.takeComplete();
      }
      // Nobody waits for the server with extents in hand.
      if (merged.completeCount > 0) yield merged.takeComplete();
    }
    const rest = merged.takeAll();
    if (rest.length > 0) yield rest;
  } finally {
    // Whoever stops in the middle must not leave a request behind that was started for them.
    await Promise.allSettled([asked]);
  }
}

/** Which contexts are needed, and what their flags mean. */
interface Reading {
  readonly ids: readonly number[];
  extentOf(start: number, stretch: Stretch): Extent;
}

function zeroReading({ allocation, depth }: NbdExport['contexts']): Reading | undefined {
  if (allocation === undefined) return undefined;
  return {
    ids: depth === undefined ? [allocation] : [allocation, depth],
    extentOf: (start, { lengthBytes: length, flags: [allocationFlags = 0, layers] }) => ({
      start,
      length,
      zero: (allocationFlags & zeroFlag) !== 0,
      hole: layers === 0,
    }),
  };
}

function dirtyReading({ allocation, dirtyBitmap }: NbdExport['contexts']): Reading | undefined {
  if (dirtyBitmap === undefined) return undefined;
  return {
    ids: allocation === undefined ? [dirtyBitmap] : [dirtyBitmap, allocation],
    extentOf: (start, { lengthBytes: length, flags: [dirtyFlags = 0, allocationFlags = 0] }) => ({
      start,
      length,
      zero: (allocationFlags & zeroFlag) !== 0,
      hole: false,
      dirty: (dirtyFlags & dirtyFlag) !== 0,
    }),
  };
}

function unknownExtent(context: ExtentContext, start: number, length: number): Extent {
  const extent = { start, length, zero: false, hole: false };
  return context === 'dirty' ? { ...extent, dirty: true } : extent;
}

function askAhead(ask: AskBlockStatus, range: ByteRange): Promise<BlockStatus> {
  const asked = ask(range);
  // It may fail before its turn comes; whoever awaits it then hears of it.
  asked.catch(() => undefined);
  return asked;
}

/** An answer of no bytes stands for "the server does not know". */
async function answersOf(asked: Promise<BlockStatus>, ids: readonly number[]): Promise<readonly Buffer[]> {
  try {
    const status = await asked;
    return ids.map((id) => status.get(id) ?? Buffer.alloc(0));
  } catch (error: unknown) {
    // The server cannot tell, but it lives.
    if (error instanceof StorageError && !(error instanceof NbdConnectionError)) return [Buffer.alloc(0)];
    throw error;
  }
}
