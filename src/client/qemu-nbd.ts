import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
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
  static async start({ file, format, writable, connectionsMax }: QemuNbdOptions): Promise<QemuNbd> {
    const folder = await mkdtemp(join(tmpdir(), 'imageio-'));
    const socket = join(folder, 'nbd.sock');
    const server = spawn(
      'qemu-nbd',
      [
        // It ends when the last connection closes, so also when this process is killed.
        `--shared=${connectionsMax}`,
        `--socket=${socket}`,
        `--format=${format}`,
        '--export-name=disk',
        '--discard=unmap',
        ...(writable ? [] : ['--read-only']),
        file,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    try {
      await socketReady(server, socket);
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

async function socketReady(server: ChildProcess, socket: string): Promise<void> {
  let words = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  const ended = new Promise<never>((_, reject) => {
    server.once('error', (error) => {
      reject(errorCode(error) === 'ENOENT' ? missing('qemu-nbd') : error);
    });
    server.once('close', () => {
      reject(new Error(words.trim().replace(/^qemu-nbd: /, '') || 'qemu-nbd ended at once'));
    });
  });
  ended.catch(() => undefined);
  const deadline = performance.now() + startMilliseconds;
  while (performance.now() < deadline) {
    if (await exists(socket)) return;
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
