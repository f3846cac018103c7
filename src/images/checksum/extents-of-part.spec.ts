import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { ByteRange } from '../../base/units.js';
import type { Extent } from '../backends/backend.js';
import { extentsOfPart } from './extents-of-part.js';

const lists = [[extent(0, 10, false), extent(10, 20, true)], [extent(30, 5, false)], [extent(35, 65, true)]];

function extent(start: number, length: number, zero: boolean): Extent {
  return { start, length, zero, hole: false };
}

async function part(range: ByteRange): Promise<{ readonly extents: Extent[]; readonly listsTaken: number }> {
  let listsTaken = 0;
  async function* counted(): AsyncGenerator<readonly Extent[]> {
    for (const list of lists) {
      listsTaken += 1;
      yield list;
    }
  }
  const extents: Extent[] = [];
  for await (const found of extentsOfPart(counted(), range)) extents.push(found);
  return { extents, listsTaken };
}

describe('extentsOfPart', () => {
  it('gives all of the image', async () => {
    assert.deepEqual((await part({ offsetBytes: 0, lengthBytes: 100 })).extents, lists.flat());
  });

  it('cuts the first and the last, and asks for no more lists than it takes', async () => {
    assert.deepEqual(await part({ offsetBytes: 12, lengthBytes: 20 }), {
      extents: [extent(12, 18, true), extent(30, 2, false)],
      listsTaken: 2,
    });
  });

  it('asks for nothing when the part is empty', async () => {
    assert.deepEqual(await part({ offsetBytes: 12, lengthBytes: 0 }), { extents: [], listsTaken: 0 });
  });

  it('ends where the image does', async () => {
    assert.deepEqual((await part({ offsetBytes: 90, lengthBytes: 20 })).extents, [extent(90, 10, true)]);
  });
});
