import type { ByteRange } from '../../base/units.js';

export type ExtentContext = 'zero' | 'dirty';

/** An area of the image that reads alike. Wire form: docs/protocol.md, "Extents". */
export interface Extent {
  readonly start: number;
  readonly length: number;
  /** Reads as zeroes. */
  readonly zero: boolean;
  /**
   * Not allocated in this layer of a qcow2 image, so data of the backing chain shows
   * through. Never for raw images.
   */
  readonly hole: boolean;
  /** Changed since the checkpoint; known only in the dirty context. */
  readonly dirty?: boolean;
}

/** The room of an image on its storage, in bytes; undefined is what the storage does not tell. */
export interface StorageRoom {
  /** What the image has of it already. */
  readonly allocatedBytes?: number;
  /** What the image may get besides, in competition with all others there. */
  readonly freeBytes?: number;
}

/** Which digests storage is asked for, of blocks from the first byte of the image on. */
export interface BlockDigestsRequest {
  /** One of `checksumAlgorithms`. */
  readonly algorithm: string;
  readonly blockSizeBytes: number;
  /** How much of the image; the last block may be shorter. */
  readonly lengthBytes: number;
}

export interface BlockDigest {
  readonly range: ByteRange;
  readonly digest: Uint8Array;
}

/**
 * One opened image. Everything is positional and may be called concurrently: there is no cursor to share.
 *
 * A call that may change the image is never given up: its promise settles only when the storage has
 * answered, because "no byte is written after the ticket is gone" (docs/protocol.md, "Removing a ticket") is
 * built on that. Failures are `StorageError`s (`NoSpaceError` when the storage is full); after one the
 * backend stays usable or reconnects by itself.
 */
export interface Backend {
  /** The name in logs and metrics, e.g. `file` or `nbd`. */
  readonly kind: string;
  /** The same for all backends that were opened by the same name of the image. */
  readonly identity: string;
  /**
   * Another number whenever storage may have lost what it took, or may be another one, as a server may that
   * was started again; undefined where others change the image without telling. Backends of the same identity
   * have the same number only where what one of them has written the others read.
   */
  readonly incarnation: number | undefined;
  /**
   * Where the image is, by whatever name it was opened: two backends with the same place have the same image.
   * The reverse is not known of what other processes have open, such as the file behind an NBD export.
   */
  readonly place: string;
  /**
   * How many connections can usefully read and write this image at once, before
   * `daemon.max_connections` caps them.
   */
  readonly readersMax: number;
  readonly writersMax: number;
  /** How many calls on this one backend may usefully be in flight (a read-ahead depth). */
  readonly inFlightMax: number;
  /**
   * True when a write or zero past `sizeBytes()` makes the image larger (a regular
   * file), up to the ticket's size.
   */
  readonly growable: boolean;
  readonly canDirtyExtents: boolean;
  /** What storage reads and writes at once: parts of such blocks take a read and a write of the rest. */
  readonly blockSizeBytes: number;

  /**
   * The image's size, in bytes.
   * @param enoughBytes all that the caller means to read: a size seen before that is not less
   *   may be told instead of asking storage again. Where somebody else has cut the image
   *   meanwhile, the read comes short.
   */
  sizeBytes(enoughBytes?: number): Promise<number>;

  /** How much room there is for the image, as far as its storage tells. */
  room(): Promise<StorageRoom>;

  /**
   * Reads `range` into `buffer` and returns the view of `buffer` that holds its bytes, in order; shorter
   * than asked only where the image ends. The view need not start at 0: a backend may read whole blocks
   * around the range straight into the buffer.
   * @param buffer page-aligned, at least `range.lengthBytes + 2 * blockSlackBytes` long, used by nobody else
   *   meanwhile; of whole pages of the image no longer than these
   */
  read(buffer: Uint8Array, range: ByteRange): Promise<Uint8Array>;

  /**
   * Writes all of `source` at `offsetBytes`; neighbouring bytes never change, whatever the alignment.
   * Fastest when the memory address of `source` and `offsetBytes` agree modulo 4096 (see
   * `aligned-memory.ts`); correct always.
   */
  write(source: Uint8Array, offsetBytes: number): Promise<void>;

  /**
   * Makes `range` read as zeroes: deallocates when `sparse`, else keeps or makes it allocated. Callers pass
   * steps of at most 128 MiB so that a cancel can come between two of them.
   */
  zero(range: ByteRange, options: { readonly sparse: boolean }): Promise<void>;

  /** Resolves when everything written before is on stable storage. */
  flush(): Promise<void>;

  /**
   * The extents of the whole image, in order, without gaps, neighbours that are alike merged, their lengths
   * summing to its size. They come in lists of at least one, bounded in length, since waiting for each of
   * 10^5 extents takes longer than finding them. `dirty` is asked only when `canDirtyExtents`.
   * @param range of which part alone they are: those at its ends are cut, and storage is not asked for what
   *   is outside of it; all of the image when absent
   */
  extents(context: ExtentContext, range?: ByteRange): AsyncIterable<readonly Extent[]>;

  /**
   * The digests of the blocks of the image, in order, where its storage computes them by itself.
   * @returns undefined where they have to be made of what is read
   */
  blockDigests(request: BlockDigestsRequest): AsyncIterable<BlockDigest> | undefined;

  /**
   * The file behind it, which another thread may read from for as long as the backend is open; undefined
   * where there is none, or its size is not known yet.
   */
  readonly directReads?: DirectReads | undefined;

  /**
   * Nobody wants the outcome of the calls in flight any more. Those that only read, or have not reached the
   * storage yet, fail at once where the storage can be kept from answering them into their buffers later.
   * All others go on to their end.
   */
  abandon(): void;

  /** Closes it after the calls in flight have ended. Idempotent. */
  close(): Promise<void>;
}

/**
 * Who wants to know what becomes of writes that were not flushed, where storage forgets them when its server
 * goes. A file keeps them in the memory of the kernel, which outlives this process.
 */
export interface UnflushedWrites {
  /** The server has gone, or the connection to it: nobody can tell any more whether they are there. */
  lost(): void;
  /**
   * No call is in flight any more, and the image is about to be closed: afterwards nobody would notice that
   * the server has gone. Has `flush` called if there is something that is worth it.
   * @throws what `flush` throws
   */
  closing(flush: () => Promise<void>): Promise<void>;
}

/** A file to read from. */
export interface DirectReads {
  readonly fd: number;
  /** What offsets, lengths and memory are to be multiples of; 1 for a file that takes any. */
  readonly blockSizeBytes: number;
  /** It is at least so long. A read comes short when somebody has cut it meanwhile. */
  readonly sizeBytes: number;
}

/** What a backend needs to know of a ticket to open its image. */
export interface ImageRequest {
  /**
   * The ticket's url as it was given: a parsed `URL` would already have resolved `..`
   * and hidden what was asked for.
   */
  readonly url: string;
  readonly writable: boolean;
  readonly sparse: boolean;
  /** Dirty extents may be asked for. */
  readonly dirty: boolean;
  readonly unflushed?: UnflushedWrites;
}

/**
 * Opens the images of one or more url schemes. A new scheme is a new folder with one of
 * these, and no `switch` grows.
 */
export interface ImageSource {
  /** What the ticket's url begins with, before the first colon: `['file']`, `['nbd', 'nbd+unix']`. */
  readonly schemes: readonly string[];
  /**
   * @param signal nobody wants the image any more: gives up at once where the storage allows that
   * @throws StorageError when the image cannot be opened, or was given up; ticket and request are fine, the
   *   storage is not
   */
  open(request: ImageRequest, signal?: AbortSignal): Promise<Backend>;
}

export const IMAGE_SOURCES = Symbol('IMAGE_SOURCES');
