import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { StorageError } from '../../../base/errors.js';
import type { Extent } from '../backend.js';
import { type ExtentLooks, fileExtents } from './extents.js';
import type { FilePart } from './extents-walk.js';
import { SEEK_DATA } from '../../../native/storage-calls.js';

type Seek = ExtentLooks['seek'];

function extentsBy(seek: Seek, part: FilePart): AsyncGenerator<readonly Extent[]> {
  return fileExtents({ seek, isFragmented: false }, part);
}

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
    const extents = extentsBy(
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
        extentsBy(
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
    assert.deepEqual(await list(extentsBy(seekIn([[0, 500]], 500), whole(500))), [[0, 500, false]]);
    assert.deepEqual(await list(extentsBy(seekIn([], 500), whole(500))), [[0, 500, true]]);
    assert.deepEqual(await list(extentsBy(seekIn([], 0), whole(0))), []);
  });

  for (const code of ['EINVAL', 'ENOTSUP']) {
    it(`takes everything for data where the file system says ${code}`, async () => {
      const seek: Seek = () => Promise.reject(failure(code));
      assert.deepEqual(await list(extentsBy(seek, whole(500))), [[0, 500, false]]);
    });
  }

  it('takes the rest for data when looking fails half-way', async () => {
    const seek = seekIn([[100, 200]], 500);
    const failing: Seek = (offsetBytes, whence) =>
      offsetBytes < 200 ? seek(offsetBytes, whence) : Promise.reject(failure('EIO'));
    assert.deepEqual(await list(extentsBy(failing, whole(500))), [
      [0, 100, true],
      [100, 400, false],
    ]);
  });

  it('ends though data is deallocated just after it was found', async () => {
    const seek: Seek = async (offsetBytes) => offsetBytes;
    assert.deepEqual(await list(extentsBy(seek, whole(500))), [[0, 500, false]]);
  });

  it('fails when the image is closed half-way', async () => {
    const closed = () => Promise.reject(new StorageError('The image was closed'));
    await assert.rejects(list(extentsBy(closed, whole(500))), StorageError);
  });

  it('covers the size it was given, no more and no less, when the file grows or shrinks', async () => {
    assert.deepEqual(await list(extentsBy(seekIn([[0, 900]], 900), whole(500))), [[0, 500, false]]);
    assert.deepEqual(await list(extentsBy(seekIn([[0, 100]], 100), whole(500))), [
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
    assert.deepEqual(await list(extentsBy(seek, whole(500))), [[0, 500, false]]);
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
    const extents = extentsBy((offsetBytes, whence) => {
      calls += 1;
      return seek(offsetBytes, whence);
    }, whole(700));
    await extents.next();
    assert.ok(calls <= 3, `${calls}`);
    await extents.return(undefined);
  });

  describe('of a file that has many', () => {
    const blocks = 200;
    const many = seekIn(
      Array.from({ length: blocks }, (_, index) => [200 * index, 200 * index + 100] as const),
      200 * blocks,
    );
    const part = whole(200 * blocks);
    /** The ends of the next three. */
    const threeEnds = ({ startBytes }: FilePart): readonly number[] => {
      const first = startBytes / 100;
      return [0, 1, 2]
        .filter((index) => first + index < 2 * blocks)
        .map((index) => (first + index + 1) * ((first + index) % 2 === 0 ? 100 : -100));
    };
    const expected = Array.from({ length: 2 * blocks }, (_, index) => [100 * index, 100, index % 2 === 1]);

    it('leaves it to others after some looks, and remembers that it is so', async () => {
      let alone = 0;
      const looks: ExtentLooks = {
        seek: (offsetBytes, whence) => {
          alone += 1;
          return many(offsetBytes, whence);
        },
        walk: (rest) => Promise.resolve(threeEnds(rest)),
        isFragmented: false,
      };
      assert.deepEqual(await list(fileExtents(looks, part)), expected);
      assert.ok(alone < blocks, `${alone}`);
      alone = 0;
      assert.deepEqual(await list(fileExtents(looks, part)), expected);
      assert.equal(alone, 0);
    });

    it('goes on alone while nobody is free', async () => {
      let asked = 0;
      const looks: ExtentLooks = {
        seek: many,
        walk: (rest) => {
          asked += 1;
          return asked % 2 === 0 ? undefined : Promise.resolve(threeEnds(rest));
        },
        isFragmented: false,
      };
      assert.deepEqual(await list(fileExtents(looks, part)), expected);
      assert.ok(asked > 2);
    });

    it('fails as those do who look', async () => {
      const walk = (): Promise<never> => Promise.reject(new StorageError('The image was closed'));
      const extents = fileExtents({ seek: many, walk, isFragmented: true }, part);
      await assert.rejects(list(extents), StorageError);
    });

    it('has nobody fail for it after its end', async () => {
      let walks = 0;
      const walk = (rest: FilePart): Promise<readonly number[]> => {
        walks += 1;
        return walks > 1 ? Promise.reject(new Error('too late')) : Promise.resolve(threeEnds(rest));
      };
      const extents = fileExtents({ seek: many, walk, isFragmented: true }, part);
      await extents.next();
      await extents.return(undefined);
      // A rejection that nobody handles would end the process by now.
      await new Promise(setImmediate);
      assert.equal(walks, 2);
    });
  });
});
