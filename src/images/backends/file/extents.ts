import { errorCode } from '../../../base/error-details.js';
import { StorageError } from '../../../base/errors.js';
import type { Extent } from '../backend.js';
import { MergedExtents } from '../merged-extents.js';
import { type ExtentEnd, ExtentsWalk, type FilePart, positionOfFailure } from './extents-walk.js';

/** Who looks for data and holes in one file. */
export interface ExtentLooks {
  /** `lseek(2)`, by a call of its own. */
  seek(offsetBytes: number, whence: number): Promise<number>;
  /**
   * Looks many times at once.
   * @returns ends in order, at least one; `undefined` when nobody is free to do so
   */
  walk?(part: FilePart): Promise<readonly ExtentEnd[]> | undefined;
  /** The file has turned out to have so many extents that looking many times at once is worth it. */
  isFragmented: boolean;
}

/**
 * Most images have few extents, which are not worth a thread: it costs 10 ms and some MiB. After so many
 * looks one is asked for.
 */
const looksAlone = 64;

/**
 * The data and holes of a part of a sparse file, each as long as possible, handed out as soon as their ends
 * are known. What is said of a file that changes meanwhile, or of which nothing can be told, is up to
 * `ExtentsWalk`.
 * @throws StorageError when the image is closed meanwhile
 */
export async function* fileExtents(looks: ExtentLooks, part: FilePart): AsyncGenerator<readonly Extent[]> {
  // A file that changed under us can show, say, data begin where data has just ended.
  const merged = new MergedExtents();
  let start = part.startBytes;
  for await (const ends of extentEnds(looks, part)) {
    for (const signedEnd of ends) {
      const end = Math.abs(signedEnd);
      merged.add(new FileExtent(start, end - start, signedEnd < 0));
      start = end;
    }
    if (merged.completeCount > 0) yield merged.takeComplete();
  }
  const rest = merged.takeAll();
  if (rest.length > 0) yield rest;
}

/**
 * A class, because V8 takes the objects of a literal that many are made by for long-lived ones: a list of a
 * million made its heap 50 MiB larger.
 */
class FileExtent implements Extent {
  readonly hole = false;

  constructor(
    readonly start: number,
    readonly length: number,
    readonly zero: boolean,
  ) {}
}

async function* extentEnds(looks: ExtentLooks, part: FilePart): AsyncGenerator<readonly ExtentEnd[]> {
  const walk = new ExtentsWalk(part);
  while (!walk.isOver()) {
    if (looks.isFragmented) yield* manyExtentEnds(looks, walk);
    for (let count = 0; count < looksAlone && !walk.isOver(); count += 1) {
      const end = walk.answered(await positionOf(looks, walk));
      if (end !== 0) yield [end];
    }
    looks.isFragmented ||= !walk.isOver();
  }
}

/** The ends that others find while the ones before are handed out, until they have found all or are busy. */
async function* manyExtentEnds(looks: ExtentLooks, walk: ExtentsWalk): AsyncGenerator<readonly ExtentEnd[]> {
  const lookOn = (): Promise<readonly ExtentEnd[]> | undefined =>
    walk.isOver() ? undefined : looks.walk?.(walk.rest);
  let next = lookOn();
  try {
    while (next !== undefined) {
      const ends = await next;
      walk.wentTo(Math.abs(ends.at(-1) ?? Infinity));
      next = lookOn();
      yield ends;
    }
  } finally {
    // Whoever takes no more does not care how that ends.
    next?.catch(() => undefined);
  }
}

async function positionOf(
  looks: ExtentLooks,
  { offsetBytes, whence }: ExtentsWalk,
): Promise<number | undefined> {
  try {
    return await looks.seek(offsetBytes, whence);
  } catch (error: unknown) {
    // Not the answer of the file system: the image was closed.
    if (error instanceof StorageError) throw error;
    return positionOfFailure(errorCode(error));
  }
}
