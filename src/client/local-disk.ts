import { execFile } from 'node:child_process';
import { open, realpath, stat, statfs, unlink } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { errorCode } from '../base/error-details.js';
import type { StorageRoom } from '../images/backends/backend.js';
import { FileSource } from '../images/backends/file/file-source.js';
import { NbdSource } from '../images/backends/nbd/nbd-source.js';
import { BackendDisk } from './backend-disk.js';
import { detectFormat, type DiskFormat } from '../qemu/disk-format.js';
import { isNbdUrl } from './nbd-place.js';
import { missing, QemuNbd } from '../qemu/qemu-nbd.js';
import { UsageError } from './usage-error.js';

/** Threads that Node has for files when nobody says otherwise. */
const fileThreads = 4;

const files = new FileSource({
  warn: () => undefined,
  threadCount: fileThreads,
  allowedRoots: [],
});
const exports = new NbdSource({ connectTimeoutSeconds: 10 });

/** In which stat(2) counts, whatever the file system has. */
const statBlockBytes = 512;

/** A disk of this host, and what is to be ended with it. */
export class LocalDisk implements AsyncDisposable {
  /** A file that was made for it. */
  #made: string | undefined;

  private constructor(
    readonly disk: BackendDisk,
    private readonly server: QemuNbd | undefined,
  ) {}

  /**
   * @param path of a file or a block device, or the url of an NBD export
   * @param format how the file is to be understood; undefined for what it begins like
   * @throws Error that names what is missing or wrong
   */
  static async openSource(path: string, format?: DiskFormat): Promise<LocalDisk> {
    if (isNbdUrl(path)) return LocalDisk.#openExport(path, format ?? 'raw', false);
    return LocalDisk.#open(await realpath(path), format ?? (await detectFormat(path)), false);
  }

  /**
   * Opens a file to write, and makes it when it is not there.
   * @param sizeBytes of the disk
   * @param beforeMade told when the file is there and has nothing in it, before the disk is made
   * @throws Error when there is a file that has something in it, unless `mayExist`
   */
  static async openTarget(
    path: string,
    { format, sizeBytes, mayExist, beforeMade }: TargetOptions,
  ): Promise<LocalDisk> {
    if (isNbdUrl(path)) return LocalDisk.#openExport(path, format, true);
    const { isNew, isEmpty } = await createFile(path, mayExist);
    try {
      if (isEmpty) await beforeMade();
      if (isEmpty) await makeDisk(path, format, sizeBytes);
      const disk = await LocalDisk.#open(await realpath(path), format, true);
      if (isNew) disk.#made = path;
      return disk;
    } catch (error: unknown) {
      if (isNew) await unlink(path);
      throw error;
    }
  }

  /** The server of an export reads and writes what the export is of, whatever format that has. */
  static async #openExport(url: string, format: DiskFormat, writable: boolean): Promise<LocalDisk> {
    if (format !== 'raw') throw new UsageError(`An NBD export is raw, whatever is behind it: not ${format}`);
    const backend = await exports.open({ url, writable, sparse: true, dirty: false });
    return new LocalDisk(await BackendDisk.of(backend), undefined);
  }

  static async #open(path: string, format: DiskFormat, writable: boolean): Promise<LocalDisk> {
    const request = { writable, sparse: true, dirty: false };
    if (format === 'raw') {
      const backend = await files.open({ ...request, url: pathToFileURL(path).href });
      return new LocalDisk(await BackendDisk.of(backend), undefined);
    }
    const server = await QemuNbd.start({ file: path, format, writable, connectionsMax: 1 });
    try {
      const backend = await exports.open({ ...request, url: server.url });
      return new LocalDisk(await BackendDisk.of(backend, () => roomOf(path)), server);
    } catch (error: unknown) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Removes the file that was made for it, if one was: nothing has been written there. */
  async discard(): Promise<boolean> {
    if (this.#made === undefined) return false;
    await unlink(this.#made);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disk.close();
    await this.server?.[Symbol.asyncDispose]();
  }
}

interface TargetOptions {
  readonly format: DiskFormat;
  readonly sizeBytes: number;
  readonly mayExist: boolean;
  readonly beforeMade: () => Promise<void>;
}

/** Of a file that another program writes. */
async function roomOf(path: string): Promise<StorageRoom> {
  const file = await stat(path);
  // A device has all of its room.
  if (!file.isFile()) return {};
  const { bavail, bsize } = await statfs(path);
  return { allocatedBytes: file.blocks * statBlockBytes, freeBytes: bavail * bsize };
}

/** What there is to write to. */
interface Place {
  /** It was made now. */
  readonly isNew: boolean;
  /** It is a file without anything in it, so a disk has to be made there. */
  readonly isEmpty: boolean;
}

async function createFile(path: string, mayExist: boolean): Promise<Place> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.close();
    return { isNew: true, isEmpty: true };
  } catch (error: unknown) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  const found = await stat(path);
  if (found.isFile() && found.size > 0 && !mayExist)
    throw new Error(`${path} exists: --overwrite writes over it`);
  return { isNew: false, isEmpty: found.isFile() && found.size === 0 };
}

async function makeDisk(path: string, format: DiskFormat, sizeBytes: number): Promise<void> {
  if (format === 'raw') {
    const file = await open(path, 'r+');
    try {
      await file.truncate(sizeBytes);
    } finally {
      await file.close();
    }
    return;
  }
  try {
    await promisify(execFile)('qemu-img', [
      'create',
      '-q',
      '-f',
      format,
      await realpath(path),
      String(sizeBytes),
    ]);
  } catch (error: unknown) {
    throw errorCode(error) === 'ENOENT' ? missing('qemu-img') : error;
  }
}
