import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MiB } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import { needs } from '../support/requirements.js';

const run = promisify(execFile);
const sizeBytes = 32 * MiB;

/** For the `skip` option of node:test. */
export function needsFrozenStorage(): string | false {
  if (process.getuid?.() !== 0) return 'needs root, to mount a file system that can be frozen';
  return needs('mkfs.ext4', 'mount', 'umount', 'fsfreeze');
}

/** A file system whose writes can be made to hang, as those of a SAN do that has gone. Reads go on. */
export class FrozenStorage implements AsyncDisposable {
  private frozen = false;

  private constructor(readonly path: string) {}

  /** @param folder an empty place for it */
  static async mount(folder: string): Promise<FrozenStorage> {
    const path = join(folder, 'frozen');
    const device = join(folder, 'frozen.ext4');
    await mkdir(path);
    await writeFile(device, '');
    await truncate(device, sizeBytes);
    await run('mkfs.ext4', ['-q', '-F', device]);
    await run('mount', ['-o', 'loop', device, path]);
    return new FrozenStorage(path);
  }

  async freeze(): Promise<void> {
    await run('fsfreeze', ['--freeze', this.path]);
    this.frozen = true;
  }

  /**
   * Resolves when that many threads of the process hang in a write: an operation is
   * active before it has come that far.
   */
  async holds(pid: number, count = 1): Promise<void> {
    let before: readonly string[] = [];
    await eventually(
      async () => {
        const now = await sleepingThreads(pid);
        // Waiting for a disk that answers is over before the second look.
        const hanging = now.filter((thread) => before.includes(thread));
        before = now;
        return hanging.length >= count || undefined;
      },
      `${count} writes of process ${pid} hang`,
      { intervalMs: 100 },
    );
  }

  async thaw(): Promise<void> {
    if (!this.frozen) return;
    this.frozen = false;
    await run('fsfreeze', ['--unfreeze', this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.thaw();
    // Lazily: a process that still has a file of it open must not leave the mount behind.
    await run('umount', ['--lazy', this.path]);
  }
}

/** The threads that wait for storage, uninterruptibly (proc(5), state D). */
export async function sleepingThreads(pid: number): Promise<readonly string[]> {
  const sleeping: string[] = [];
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const text = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => '');
    if (/\) D /.test(text)) sleeping.push(thread);
  }
  return sleeping;
}
