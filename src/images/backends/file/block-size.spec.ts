import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { detectBlockSize } from './block-size.js';
import { AlignedMemory } from '../../buffers/aligned-memory.js';

describe('detectBlockSize', () => {
  let folder: string;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'imageio-block-size-'));
  });
  after(() => {
    fs.rmSync(folder, { recursive: true });
  });

  function openDirect(content: Buffer): number {
    const file = path.join(folder, 'file');
    fs.writeFileSync(file, content);
    return fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_DIRECT);
  }

  it('says 4096 for an empty file, which tells nothing', async () => {
    const fd = openDirect(Buffer.alloc(0));
    assert.equal(await detectBlockSize(fd), 4096);
    fs.closeSync(fd);
  });

  for (const sizeBytes of [100, 512, 100_000]) {
    it(`finds a block size that the file of ${sizeBytes} bytes can be read with`, async () => {
      const fd = openDirect(Buffer.alloc(sizeBytes, 1));
      const blockSizeBytes = await detectBlockSize(fd);
      assert.ok(blockSizeBytes !== undefined);
      const block = new AlignedMemory(blockSizeBytes).allocate(blockSizeBytes);
      assert.equal(fs.readSync(fd, block, 0, blockSizeBytes, 0), Math.min(blockSizeBytes, sizeBytes));
      fs.closeSync(fd);
    });
  }

  it('says 4096 where any alignment works', async () => {
    const file = path.join(folder, 'buffered');
    fs.writeFileSync(file, Buffer.alloc(8192, 1));
    const fd = fs.openSync(file, 'r');
    assert.equal(await detectBlockSize(fd), 4096);
    fs.closeSync(fd);
  });
});
