import type { ByteRange } from '../../../base/units.js';
import { GiB, KiB, MiB } from '../../../base/units.js';
import type { RangeLock } from '../range-lock.js';
import type { NbdClient } from './nbd-client.js';
import { NbdRequestError } from './nbd-errors.js';

/** WRITE_ZEROES has no data, so the limit of the block size does not hold; QEMU refuses 2 GiB and more. */
const zeroesBytesMax = GiB;
/**
 * The most data that one READ asks for. QEMU takes new memory for each request. For more than 120 KiB glibc
 * gets it from the kernel and gives it back every time (its limit is 128 KiB, with the header and the
 * alignment), which is half of what qemu-nbd spends on a read of 1 MiB.
 */
const dataReadBytesMax = 120 * KiB;
/**
 * How many pieces of one call are in flight: all pieces of one buffer, so that none of them has to queue
 * behind the pieces of the buffers that are read ahead.
 */
const piecesInFlightMax = 64;

const zeroes = new Uint8Array(MiB);

/** What the blocks of one export are read and written through. */
export interface BlockIo {
  readonly client: NbdClient;
  /** The same object for every connection of this process to the export. */
  readonly lock: RangeLock;
}

/**
 * Reads a range of any alignment that lies within the export.
 * @param buffer large enough for the whole blocks of the range; larger blocks are read aside and copied
 * @returns the view of `buffer` that holds the range
 */
export async function readRange(
  { client }: BlockIo,
  buffer: Uint8Array,
  range: ByteRange,
): Promise<Uint8Array> {
  const blocks = wholeBlocks(client, range);
  const memory = blocks.lengthBytes <= buffer.length ? buffer : new Uint8Array(blocks.lengthBytes);
  await inPieces(blocks, readBytesMax(client), ({ offsetBytes, lengthBytes }) => {
    const at = offsetBytes - blocks.offsetBytes;
    return client.read(memory.subarray(at, at + lengthBytes), offsetBytes);
  });
  const headBytes = range.offsetBytes - blocks.offsetBytes;
  const view = memory.subarray(headBytes, headBytes + range.lengthBytes);
  if (memory === buffer) return view;
  buffer.set(view);
  return buffer.subarray(0, range.lengthBytes);
}

function readBytesMax({ info, lastReadHadHole }: NbdClient): number {
  const { minimumBytes, maximumBytes } = info.blockSizes;
  // After a hole the next READ may be large: the server takes no memory for a hole, but QEMU asks the
  // storage for each request where the hole ends, which is a round trip on NFS.
  if (lastReadHadHole) return maximumBytes;
  return Math.min(maximumBytes, dataReadBytesMax - (dataReadBytesMax % minimumBytes));
}

/** Writes `source` at any alignment, within the export. */
export async function writeRange(io: BlockIo, source: Uint8Array, offsetBytes: number): Promise<void> {
  const bytesOf = (part: ByteRange): Uint8Array => {
    const at = part.offsetBytes - offsetBytes;
    return source.subarray(at, at + part.lengthBytes);
  };
  await editRange(
    io,
    { offsetBytes, lengthBytes: source.length },
    {
      whole: (part) =>
        inPieces(part, io.client.info.blockSizes.maximumBytes, (piece) =>
          io.client.write(bytesOf(piece), piece.offsetBytes),
        ),
      within: (target, part) => {
        target.set(bytesOf(part));
      },
    },
  );
}

/** Zeroes a range of any alignment, within the export. */
export async function zeroRange(
  io: BlockIo,
  range: ByteRange,
  { sparse }: { readonly sparse: boolean },
): Promise<void> {
  await editRange(io, range, {
    whole: (part) => inPieces(part, zeroesBytesMax, (piece) => zeroBlocks(io.client, piece, sparse)),
    within: (target) => {
      target.fill(0);
    },
  });
}

async function zeroBlocks(client: NbdClient, range: ByteRange, sparse: boolean): Promise<void> {
  if (client.info.canWriteZeroes) {
    try {
      await client.writeZeroes(range, { noHole: !sparse });
      return;
    } catch (error: unknown) {
      // Servers announce WRITE_ZEROES before they know whether their storage supports it. When it does
      // not, zeroes are written as data.
      const cannot = error instanceof NbdRequestError && ['ENOTSUP', 'EINVAL'].includes(error.errorName);
      if (!cannot) throw error;
    }
  }
  const { maximumBytes, minimumBytes } = client.info.blockSizes;
  const pieceBytes = Math.min(maximumBytes, zeroes.length - (zeroes.length % minimumBytes));
  await inPieces(range, pieceBytes, ({ offsetBytes, lengthBytes }) =>
    client.write(zeroes.subarray(0, lengthBytes), offsetBytes),
  );
}

interface Edit {
  /** Makes the change to a range of whole blocks. */
  whole(range: ByteRange): Promise<void>;
  /** Makes the change to a part of a block, in memory. */
  within(target: Uint8Array, part: ByteRange): void;
}

/**
 * Changes a range block by block where the server takes only whole ones: blocks at its edges are
 * read, changed and written back while no other call touches them, so that neighbouring bytes
 * never change. Changes of whole blocks hold theirs together with others, those with an edge
 * hold all of their range alone.
 */
async function editRange({ client, lock }: BlockIo, range: ByteRange, edit: Edit): Promise<void> {
  const blockBytes = client.info.blockSizes.minimumBytes;
  if (blockBytes === 1) {
    await edit.whole(range);
    return;
  }
  const end = range.offsetBytes + range.lengthBytes;
  const blocks = wholeBlocks(client, range);
  const blocksEnd = blocks.offsetBytes + blocks.lengthBytes;
  const wholeStart =
    range.offsetBytes === blocks.offsetBytes ? blocks.offsetBytes : blocks.offsetBytes + blockBytes;
  const wholeEnd = end === blocksEnd ? end : end - (end % blockBytes);
  const edges = new Set<number>();
  if (wholeStart > range.offsetBytes) edges.add(blocks.offsetBytes);
  if (wholeEnd < end) edges.add(wholeEnd);
  await lock.run(blocks.offsetBytes, blocksEnd, edges.size > 0, () =>
    allSettled([
      ...[...edges].map((start) => editBlock(start, Math.min(start + blockBytes, blocksEnd))),
      ...(wholeStart < wholeEnd
        ? [edit.whole({ offsetBytes: wholeStart, lengthBytes: wholeEnd - wholeStart })]
        : []),
    ]),
  );

  async function editBlock(start: number, blockEnd: number): Promise<void> {
    const block = new Uint8Array(blockEnd - start);
    await client.read(block, start);
    const from = Math.max(start, range.offsetBytes);
    const to = Math.min(blockEnd, end);
    edit.within(block.subarray(from - start, to - start), { offsetBytes: from, lengthBytes: to - from });
    await client.write(block, start);
  }
}

/** The blocks that a range touches; the last one of the export may be short. */
function wholeBlocks(client: NbdClient, { offsetBytes, lengthBytes }: ByteRange): ByteRange {
  const { blockSizes, sizeBytes } = client.info;
  const start = offsetBytes - (offsetBytes % blockSizes.minimumBytes);
  const end = Math.ceil((offsetBytes + lengthBytes) / blockSizes.minimumBytes) * blockSizes.minimumBytes;
  return { offsetBytes: start, lengthBytes: Math.min(end, sizeBytes) - start };
}

/**
 * Cuts a range into pieces, several in flight; after a failure no new ones are begun,
 * and those in flight are awaited.
 */
async function inPieces(
  range: ByteRange,
  pieceBytesMax: number,
  run: (piece: ByteRange) => Promise<void>,
): Promise<void> {
  if (range.lengthBytes <= pieceBytesMax) {
    await run(range);
    return;
  }
  const end = range.offsetBytes + range.lengthBytes;
  let next = range.offsetBytes;
  const runPieces = async (): Promise<void> => {
    try {
      while (next < end) {
        const offsetBytes = next;
        next = Math.min(next + pieceBytesMax, end);
        await run({ offsetBytes, lengthBytes: next - offsetBytes });
      }
    } catch (error: unknown) {
      next = end;
      throw error;
    }
  };
  const count = Math.min(Math.ceil(range.lengthBytes / pieceBytesMax), piecesInFlightMax);
  await allSettled(Array.from({ length: count }, runPieces));
}

/** Like Promise.all, but fails only when nothing is running any more. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(promises);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
