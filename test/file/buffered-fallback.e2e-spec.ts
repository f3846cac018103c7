import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { FileSource } from '../../src/images/backends/file/file-source.js';
import { mount, mountingRefusal, unmount } from './block-devices.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'imageio-buffered-'));
const skip = mountingRefusal(folder) ?? false;

after(() => {
  fs.rmSync(folder, { recursive: true });
});

describe('FileSource on a file system that refuses direct I/O', { skip }, () => {
  // ramfs refuses O_DIRECT in every kernel, unlike tmpfs, which takes it since Linux 6.6.
  const mountPoint = path.join(folder, 'ramfs');
  before(() => {
    mount('ramfs', 'none', mountPoint);
  });
  after(() => {
    unmount(mountPoint);
  });

  it('works through the page cache and warns once', async () => {
    const warnings: string[] = [];
    const source = new FileSource({
      warn: (message) => warnings.push(message),
      threadCount: 4,
      allowedRoots: [],
    });
    for (const name of ['one', 'two']) {
      const file = path.join(mountPoint, name);
      fs.writeFileSync(file, Buffer.alloc(100, 7));
      const backend = await source.open({
        url: `file://${file}`,
        writable: true,
        sparse: false,
        dirty: false,
      });
      await backend.write(Buffer.from('written'), 97);
      // ramfs has no fallocate at all, so these zeroes are written.
      await backend.zero({ offsetBytes: 0, lengthBytes: 3 }, { sparse: true });
      await backend.zero({ offsetBytes: 104, lengthBytes: 5000 }, { sparse: false });
      await backend.flush();
      await backend.close();
      const expected = Buffer.concat([
        Buffer.alloc(3),
        Buffer.alloc(94, 7),
        Buffer.from('written'),
        Buffer.alloc(5000),
      ]);
      assert.ok(fs.readFileSync(file).equals(expected));
    }
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /refuses direct I\/O/);
  });
});
