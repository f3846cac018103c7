import { execFile } from 'node:child_process';
import { open, realpath, stat, unlink } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { errorCode } from '../base/error-details.js';
import { FileSource } from '../images/backends/file/file-source.js';
import { NbdSource } from '../images/backends/nbd/nbd-source.js';
import { BackendDisk } from './backend-disk.js';
import { detectFormat, type DiskFormat } from './disk-format.js';
import { missing, QemuNbd } from './qemu-nbd.js';

/** Threads that Node has for files when nobody says otherwise. */
const fileThreads = 4;

const files = new FileSource({
  warn: () => undefined,
  threadCount: fileThreads,
  allowedRoots: [],
});
const exports = new NbdSource({ connectTimeoutSeconds: 10 });

/** A disk of this host, and what is to be ended with it. */
export class LocalDisk implements AsyncDisposable {
  private constructor(
    readonly disk: BackendDisk,
    private readonly server: QemuNbd | undefined,
  ) {}

  /**
   * @param format how the file is to be understood; undefined for what it begins like
   * @throws Error that names what is missing or wrong
   */
  static async openSource(path: string, format?: DiskFormat): Promise<LocalDisk> {
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
    const { isNew, isEmpty } = await createFile(path, mayExist);
    try {
      if (isEmpty) await beforeMade();
      if (isEmpty) await makeDisk(path, format, sizeBytes);
      return await LocalDisk.#open(await realpath(path), format, true);
    } catch (error: unknown) {
      if (isNew) await unlink(path);
      throw error;
    }
  }

  static async #open(path: string, format: DiskFormat, writable: boolean): Promise<LocalDisk> {
    const request = { writable, sparse: true, dirty: false };
    if (format === 'raw') {
      const backend = await files.open({ ...request, url: pathToFileURL(path).href });
      return new LocalDisk(await BackendDisk.of(backend), undefined);
    }
    const server = await QemuNbd.start({ file: path, format, writable, connectionsMax: 1 });
    try {
      return new LocalDisk(await BackendDisk.of(await exports.open({ ...request, url: server.url })), server);
    } catch (error: unknown) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
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
