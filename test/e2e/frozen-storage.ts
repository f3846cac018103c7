import { execFile } from 'node:child_process';
import { truncate, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MiB } from '../../src/units.js';
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
