import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { StorageError } from '../../../base/errors.js';
import type { Extent } from '../backend.js';
import { fileExtents, type FilePart, type Seek } from './extents.js';
import { SEEK_DATA } from '../../../native/storage-calls.js';

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** What `lseek` answers for a file whose data is in these areas, in order. */
function seekIn(data: readonly (readonly [number, number])[], sizeBytes: number): Seek {
  return async (offsetBytes, whence) => {
    if (offsetBytes >= sizeBytes) {
      throw failure('ENXIO');
    }
    const area = data.find(([, end]) => end > offsetBytes);
    if (whence === SEEK_DATA) {
      if (area === undefined) {
        throw failure('ENXIO');
      }
      return Math.max(area[0], offsetBytes);
    }
    return area === undefined || area[0] > offsetBytes ? offsetBytes : area[1];
  };
}

function whole(endBytes: number): FilePart {
  return { startBytes: 0, endBytes };
}

async function list(lists: AsyncIterable<readonly Extent[]>): Promise<[number, number, boolean][]> {
  const found: [number, number, boolean][] = [];
  for await (const extents of lists) {
    for (const { start, length, zero, hole } of extents) {
      assert.equal(hole, false);
      found.push([start, length, zero]);
    }
  }
  return found;
}

describe('fileExtents', () => {
  it('lists a part alone, and looks nowhere else', async () => {
    const seek = seekIn([[100, 200]], 500);
    const looked: number[] = [];
    const extents = fileExtents(
      (offsetBytes, whence) => {
        looked.push(offsetBytes);
        return seek(offsetBytes, whence);
      },
      { startBytes: 150, endBytes: 300 },
    );
    assert.deepEqual(await list(extents), [
      [150, 50, false],
      [200, 100, true],
    ]);
    assert.ok(looked.every((offsetBytes) => offsetBytes >= 150 && offsetBytes < 300));
  });

  it('lists data and holes alternately', async () => {
    assert.deepEqual(
      await list(
        fileExtents(
          seekIn(
            [
              [100, 200],
              [300, 400],
            ],
            500,
          ),
          whole(500),
        ),
      ),
      [
        [0, 100, true],
        [100, 100, false],
        [200, 100, true],
        [300, 100, false],
        [400, 100, true],
      ],
    );
  });

  it('lists a file of one kind as one extent, and an empty one as none', async () => {
    assert.deepEqual(await list(fileExtents(seekIn([[0, 500]], 500), whole(500))), [[0, 500, false]]);
    assert.deepEqual(await list(fileExtents(seekIn([], 500), whole(500))), [[0, 500, true]]);
    assert.deepEqual(await list(fileExtents(seekIn([], 0), whole(0))), []);
  });

  for (const code of ['EINVAL', 'ENOTSUP']) {
    it(`takes everything for data where the file system says ${code}`, async () => {
      const seek: Seek = () => Promise.reject(failure(code));
      assert.deepEqual(await list(fileExtents(seek, whole(500))), [[0, 500, false]]);
    });
  }

  it('takes the rest for data when looking fails half-way', async () => {
    const seek = seekIn([[100, 200]], 500);
    const failing: Seek = (offsetBytes, whence) =>
      offsetBytes < 200 ? seek(offsetBytes, whence) : Promise.reject(failure('EIO'));
    assert.deepEqual(await list(fileExtents(failing, whole(500))), [
      [0, 100, true],
      [100, 400, false],
    ]);
  });

  it('ends though data is deallocated just after it was found', async () => {
    const seek: Seek = async (offsetBytes) => offsetBytes;
    assert.deepEqual(await list(fileExtents(seek, whole(500))), [[0, 500, false]]);
  });

  it('fails when the image is closed half-way', async () => {
    const closed = () => Promise.reject(new StorageError('The image was closed'));
    await assert.rejects(list(fileExtents(closed, whole(500))), StorageError);
  });

  it('covers the size it was given, no more and no less, when the file grows or shrinks', async () => {
    assert.deepEqual(await list(fileExtents(seekIn([[0, 900]], 900), whole(500))), [[0, 500, false]]);
    assert.deepEqual(await list(fileExtents(seekIn([[0, 100]], 100), whole(500))), [
      [0, 100, false],
      [100, 400, true],
    ]);
  });

  it('merges what a change between two calls made alike', async () => {
    // Data up to 100; then the rest is written too, so data begins where data has ended.
    const before = seekIn([[0, 100]], 500);
    const later = seekIn([[0, 500]], 500);
    let calls = 0;
    const seek: Seek = (offsetBytes, whence) => {
      calls += 1;
      return (calls <= 2 ? before : later)(offsetBytes, whence);
    };
    assert.deepEqual(await list(fileExtents(seek, whole(500))), [[0, 500, false]]);
  });

  it('looks no further than it is asked', async () => {
    let calls = 0;
    const seek = seekIn(
      [
        [100, 200],
        [300, 400],
        [500, 600],
      ],
      700,
    );
    const extents = fileExtents((offsetBytes, whence) => {
      calls += 1;
      return seek(offsetBytes, whence);
    }, whole(700));
    await extents.next();
    assert.ok(calls <= 3, `${calls}`);
    await extents.return(undefined);
  });
});
