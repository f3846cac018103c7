import { execFile } from 'node:child_process';
import { access, constants, realpath, stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { errorCode, errorMessage } from '../../base/error-details.js';
import { detectFormat, type DiskFormat } from '../../qemu/disk-format.js';
import { missing, QemuNbd } from '../../qemu/qemu-nbd.js';
import { CommandError } from '../command-error.js';

export interface ServedDiskOptions {
  readonly path: string;
  /** Undefined for what it begins like. */
  readonly format: DiskFormat | undefined;
  readonly writable: boolean;
  /** The dirty bitmap that its extents are told of. */
  readonly bitmap: string | undefined;
  /** The user that the daemon runs as. */
  readonly userId: number;
}

/** What the daemon opens at once for the connections of a ticket: more than clients have workers. */
const connectionsMax = 16;

/** A disk where a daemon can open it, with what had to be started for that. */
export class ServedDisk implements AsyncDisposable {
  private constructor(
    readonly path: string,
    readonly format: DiskFormat,
    readonly sizeBytes: number,
    /** As a ticket has it. */
    readonly url: string,
    private readonly server: QemuNbd | undefined,
  ) {}

  /** @throws CommandError that says what is wrong with the disk */
  static async open(options: ServedDiskOptions): Promise<ServedDisk> {
    try {
      return await ServedDisk.#open(options);
    } catch (error: unknown) {
      if (error instanceof CommandError) throw error;
      throw new CommandError(`${options.path}: ${errorMessage(error)}`, { cause: error });
    }
  }

  static async #open({ path, format, writable, bitmap, userId }: ServedDiskOptions): Promise<ServedDisk> {
    const file = await realpath(path);
    await access(file, writable ? constants.R_OK | constants.W_OK : constants.R_OK);
    const found = await stat(file);
    if (!found.isFile() && !found.isBlockDevice())
      throw new CommandError(`${path} is neither a file nor a block device`);
    const chosen = format ?? (await detectFormat(file));
    if (bitmap !== undefined && chosen !== 'qcow2')
      throw new CommandError(`${path} is ${chosen}: only qcow2 has dirty bitmaps`);
    if (chosen === 'raw') {
      const sizeBytes = found.isFile() ? found.size : await virtualSize(file, chosen);
      return new ServedDisk(path, chosen, sizeBytes, pathToFileURL(file).href, undefined);
    }
    const sizeBytes = await virtualSize(file, chosen);
    const persistent = true;
    const server = await QemuNbd.start({
      ...{ file, format: chosen, writable, connectionsMax, persistent, bitmap, userId },
    });
    return new ServedDisk(path, chosen, sizeBytes, server.url, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server?.[Symbol.asyncDispose]();
  }
}

/** @returns in bytes, what a guest sees */
async function virtualSize(file: string, format: DiskFormat): Promise<number> {
  try {
    // Whoever has it open meanwhile is refused by qemu-nbd, in words that say so.
    const args = ['info', '--force-share', '--output=json', '-f', format, file];
    const { stdout } = await promisify(execFile)('qemu-img', args);
    return (JSON.parse(stdout) as { readonly 'virtual-size': number })['virtual-size'];
  } catch (error: unknown) {
    if (errorCode(error) === 'ENOENT') throw missing('qemu-img');
    const { stderr } = error as { readonly stderr?: string };
    throw new Error(stderr?.trim().replace(/^qemu-img: /, '') ?? errorMessage(error), { cause: error });
  }
}
