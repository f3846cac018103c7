import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { KiB } from '../../../base/units.js';
import { fileExtents } from './extents.js';
import { WalkThreads } from './walk-threads.js';

const blockBytes = 4 * KiB;
/** More than a thread finds at once. */
const blocks = 3000;
const sizeBytes = blocks * blockBytes;
const whole = { startBytes: 0, endBytes: sizeBytes };

describe('the threads that find extents', () => {
  let folder: string;
  let fd: number;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'imageio-walk-'));
    fd = fs.openSync(path.join(folder, 'file'), 'w+');
    fs.ftruncateSync(fd, sizeBytes);
    for (let block = 0; block < blocks; block += 2) {
      fs.writeSync(fd, Buffer.alloc(blockBytes, 1), 0, blockBytes, block * blockBytes);
    }
  });
  after(() => {
    fs.closeSync(fd);
    fs.rmSync(folder, { recursive: true });
  });

  it('find those that single looks find, a bounded number at once', async () => {
    const threads = new WalkThreads();
    let walks = 0;
    const extents = fileExtents(
      {
        seek: () => Promise.reject(new Error('nobody looks alone')),
        walk: (part) => {
          walks += 1;
          return threads.walk(fd, part);
        },
        isFragmented: true,
      },
      whole,
    );
    let count = 0;
    for await (const list of extents) {
      for (const { start, length, zero } of list) {
        assert.deepEqual([start, length, zero], [count * blockBytes, blockBytes, count % 2 === 1]);
        count += 1;
      }
    }
    assert.equal(count, blocks);
    assert.ok(walks > 1);
  });

  it('begin and end within an extent', async () => {
    const threads = new WalkThreads();
    const part = { startBytes: 100, endBytes: 2 * blockBytes + 100 };
    assert.deepEqual(await threads.walk(fd, part), [blockBytes, -2 * blockBytes, part.endBytes]);
  });

  it('find a hole to the end, and data where nobody can tell', async () => {
    const threads = new WalkThreads();
    const end = sizeBytes + blockBytes;
    assert.deepEqual(await threads.walk(fd, { startBytes: sizeBytes, endBytes: end }), [-end]);
    assert.deepEqual(await threads.walk(-1, whole), [sizeBytes]);
  });

  it('are as many as there may be: who finds none free is told so', async () => {
    const threads = new WalkThreads(1);
    const first = threads.walk(fd, whole);
    assert.equal(threads.walk(fd, whole), undefined);
    await first;
    assert.notEqual(await threads.walk(fd, whole), undefined);
  });
});
