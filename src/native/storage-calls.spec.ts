import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import {
  blkZeroOut,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  fallocate,
  lseek,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
} from './storage-calls.js';

describe('calls on storage', () => {
  let folder: string;
  let fd: number;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'imageio-libc-'));
    fd = fs.openSync(path.join(folder, 'file'), 'w+');
    fs.writeSync(fd, Buffer.alloc(1_000_000, 1));
  });
  after(() => {
    fs.closeSync(fd);
    fs.rmSync(folder, { recursive: true });
  });

  it('allocates and deallocates', async () => {
    const before = fs.fstatSync(fd).blocks;
    await fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65_536, 131_072);
    const between = fs.fstatSync(fd);
    assert.ok(between.blocks < before);
    assert.equal(between.size, 1_000_000);
    await fallocate(fd, 0, 1_000_000, 50_000);
    assert.equal(fs.fstatSync(fd).size, 1_050_000);
  });

  it('takes offsets that do not fit in 32 bits', async () => {
    const offsetBytes = 5 * 1024 ** 3;
    await fallocate(fd, 0, offsetBytes, 4096);
    assert.equal(await lseek(fd, 0, SEEK_END), offsetBytes + 4096);
  });

  it('finds data and holes', async () => {
    await fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65_536, 131_072);
    assert.equal(await lseek(fd, 0, SEEK_HOLE), 65_536);
    assert.equal(await lseek(fd, 65_536, SEEK_DATA), 196_608);
  });

  it('fails with the name of the errno', async () => {
    await assert.rejects(fallocate(fd, 0, -1, 10), { code: 'EINVAL', syscall: 'fallocate' });
    await assert.rejects(fallocate(-1, 0, 0, 10), { code: 'EBADF' });
    await assert.rejects(lseek(fd, 2 ** 50, SEEK_DATA), { code: 'ENXIO' });
    await assert.rejects(blkZeroOut(fd, 0, 512), { code: 'ENOTTY' });
  });

  it('keeps the errnos of a thousand concurrent calls apart', async () => {
    const failures = await Promise.all(
      Array.from({ length: 1000 }, (_, index) =>
        (index % 3 === 0
          ? fallocate(-1, 0, 0, 10)
          : index % 3 === 1
            ? fallocate(fd, 0, 0, -1)
            : lseek(fd, 2 ** 50, SEEK_DATA)
        ).then(
          () => 'success',
          (error: unknown) => (error as NodeJS.ErrnoException).code,
        ),
      ),
    );
    for (const [index, code] of failures.entries()) {
      assert.equal(code, ['EBADF', 'EINVAL', 'ENXIO'][index % 3]);
    }
  });
});
