import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { errorCode } from '../base/error-details.js';

export interface QemuNbdOptions {
  readonly file: string;
  /** As qemu calls it, e.g. `qcow2`. */
  readonly format: string;
  readonly writable: boolean;
  /** How many connections it takes at once. */
  readonly connectionsMax: number;
  /** It waits for more connections when the last one closes; else it ends then. */
  readonly persistent?: boolean;
  /** The dirty bitmap in the file that it tells extents of. */
  readonly bitmap?: string | undefined;
  /** The user who connects to it, when that is another one than who started this process. */
  readonly userId?: number;
}

const startMilliseconds = 10_000;
const pollMilliseconds = 10;

/** A file of any format that qemu knows, as an NBD export on a unix socket that nobody else can reach. */
export class QemuNbd implements AsyncDisposable {
  private constructor(
    private readonly folder: string,
    private readonly server: ChildProcess,
    readonly url: string,
  ) {}

  /** @throws Error that says what is missing, or with the words of qemu-nbd */
  static async start(options: QemuNbdOptions): Promise<QemuNbd> {
    const { file, format, writable, connectionsMax, persistent = false, bitmap, userId } = options;
    const folder = await mkdtemp(join(tmpdir(), 'imageio-'));
    const socket = join(folder, 'nbd.sock');
    // Written when the disk is open: the socket is there before that is known.
    const pidFile = join(folder, 'nbd.pid');
    const server = spawn(
      'qemu-nbd',
      [
        // Else it ends when the last connection closes, so also when this process is killed.
        ...(persistent ? ['--persistent'] : []),
        `--shared=${connectionsMax}`,
        `--socket=${socket}`,
        `--pid-file=${pidFile}`,
        `--format=${format}`,
        '--export-name=disk',
        '--discard=unmap',
        ...(writable ? [] : ['--read-only']),
        ...(bitmap === undefined ? [] : [`--bitmap=${bitmap}`]),
        file,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    try {
      await ready(server, pidFile);
      if (userId !== undefined && userId !== process.geteuid?.())
        for (const path of [socket, folder]) await chown(path, userId, -1);
      return new QemuNbd(folder, server, `nbd:unix:${socket}:exportname=disk`);
    } catch (error: unknown) {
      server.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.server.exitCode === null && this.server.signalCode === null) {
      const ended = once(this.server, 'exit');
      this.server.kill('SIGTERM');
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function ready(server: ChildProcess, pidFile: string): Promise<void> {
  let words = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  const ended = new Promise<never>((_, reject) => {
    server.once('error', (error) => {
      reject(errorCode(error) === 'ENOENT' ? missing('qemu-nbd') : error);
    });
    server.once('close', () => {
      const [reason = ''] = words.trim().split('\n');
      reject(new Error(reason.replace(/^qemu-nbd: /, '') || 'qemu-nbd ended at once'));
    });
  });
  ended.catch(() => undefined);
  const deadline = performance.now() + startMilliseconds;
  while (performance.now() < deadline) {
    if (await exists(pidFile)) return;
    await Promise.race([setTimeout(pollMilliseconds), ended]);
  }
  throw new Error('qemu-nbd did not start in time');
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/** Of a program that only some formats need. */
export function missing(program: string): Error {
  return new Error(`${program} is needed for this format: install qemu-utils (Debian) or qemu-img (Fedora)`);
}
