import { join } from 'node:path';
import { mount, unmount } from '../file/block-devices.js';
import { needs } from '../support/requirements.js';

/** For the `skip` option of node:test. */
export function needsFullStorage(): string | false {
  if (process.getuid?.() !== 0) return 'needs root, to mount a file system that is full';
  return needs('mount', 'umount');
}

/** A file system of 2 MiB. */
export class FullStorage implements Disposable {
  readonly path: string;

  /** @param folder an existing place for it */
  constructor(folder: string) {
    this.path = join(folder, 'full');
    mount('tmpfs', 'none', this.path, '-o', 'size=2m');
  }

  [Symbol.dispose](): void {
    unmount(this.path);
  }
}
