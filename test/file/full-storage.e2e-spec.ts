import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { NoSpaceError } from '../../src/base/errors.js';
import type { Backend } from '../../src/images/backends/backend.js';
import { FileSource } from '../../src/images/backends/file/file-source.js';
import { MiB } from '../../src/base/units.js';
import { mount, mountingRefusal, run, unmount } from './block-devices.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'imageio-full-'));
const skip = mountingRefusal(folder) ?? false;

after(() => {
  fs.rmSync(folder, { recursive: true });
});

function describeFullStorage(name: string, mountIn: (mountPoint: string) => void): void {
  describe(`FileBackend on a full ${name}`, { skip }, () => {
    const mountPoint = path.join(folder, name);
    let backend: Backend;

    before(async () => {
      mountIn(mountPoint);
      fs.writeFileSync(path.join(mountPoint, 'image'), '');
      const source = new FileSource({ warn: () => {}, threadCount: 4, allowedRoots: [] });
      const url = `file://${mountPoint}/image`;
      backend = await source.open({ url, writable: true, sparse: true, dirty: false });
    });
    after(async () => {
      await backend.close();
      unmount(mountPoint);
    });

    it('refuses a write that has no room, and takes a smaller one afterwards', async () => {
      await assert.rejects(backend.write(Buffer.alloc(24 * MiB, 1), 100), NoSpaceError);
      await backend.zero({ offsetBytes: 0, lengthBytes: 24 * MiB }, { sparse: true });
      await backend.write(Buffer.from('fits'), 5000);
      await backend.flush();
      const content = fs.readFileSync(path.join(mountPoint, 'image'));
      assert.equal(content.toString('latin1', 5000, 5004), 'fits');
    });

    it('refuses to allocate zeroes that have no room, and extends sparsely all the same', async () => {
      await assert.rejects(
        backend.zero({ offsetBytes: 0, lengthBytes: 64 * MiB }, { sparse: false }),
        NoSpaceError,
      );
      await backend.zero({ offsetBytes: 0, lengthBytes: 64 * MiB }, { sparse: true });
      assert.equal(await backend.sizeBytes(), 64 * MiB);
      await backend.write(Buffer.from('still fits'), 63 * MiB);
    });
  });
}

describeFullStorage('tmpfs', (mountPoint) => {
  mount('tmpfs', 'none', mountPoint, '-o', 'size=2m');
});

describeFullStorage('ext4', (mountPoint) => {
  const backing = path.join(folder, 'backing');
  fs.writeFileSync(backing, '');
  fs.truncateSync(backing, 16 * MiB);
  run('mkfs.ext4', '-q', '-F', backing);
  mount('ext4', backing, mountPoint, '-o', 'loop');
});
