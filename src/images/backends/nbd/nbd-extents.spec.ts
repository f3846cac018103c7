import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import fc from 'fast-check';

import { u32 } from '../../../../test/nbd/server-messages.js';
import { type ByteRange, GiB, KiB } from '../../../base/units.js';
import type { Extent, ExtentContext } from '../backend.js';
import { NbdConnectionError, NbdRequestError } from './nbd-errors.js';
import { type AskBlockStatus, nbdExtents } from './nbd-extents.js';
import type { NbdExport } from './nbd-handshake.js';

const allContexts = { allocation: 1, depth: 2, dirtyBitmap: 3 };

function exportOf(
  sizeBytes: number,
  contexts: NbdExport['contexts'] = allContexts,
  minimumBytes = 1,
): NbdExport {
  return {
    sizeBytes,
    readOnly: false,
    canFlush: true,
    canMultiConn: false,
    canWriteZeroes: true,
    blockSizes: { minimumBytes, maximumBytes: 32 * 1024 * KiB },
    structuredReplies: true,
    contexts,
  };
}

async function list(
  nbdExport: NbdExport,
  context: ExtentContext,
  ask: AskBlockStatus,
  part?: ByteRange,
): Promise<Extent[]> {
  const extents: Extent[] = [];
  for await (const list of nbdExtents(nbdExport, context, ask, part)) extents.push(...list);
  return extents;
}

/** The flags of each context at each unit of the image. */
type Unit = readonly [allocation: number, depth: number, dirty: number];

/** What one unit of the model reads as, in each context. */
const meanings = {
  zero: ([allocation, depth]: Unit) => ({ zero: (allocation & 2) !== 0, hole: depth === 0 }),
  dirty: ([allocation, , dirty]: Unit) => ({ zero: (allocation & 2) !== 0, hole: false, dirty: dirty === 1 }),
};

const unitBytes = 4 * KiB;

/** The merged extents of an image, worked out unit by unit. */
function modelOf(units: readonly Unit[], context: ExtentContext): Extent[] {
  const extents: Extent[] = [];
  for (const [index, unit] of units.entries()) {
    const meaning = meanings[context](unit);
    const last = extents.at(-1);
    if (last !== undefined && isDeepStrictEqual(last, { ...last, ...meaning })) {
      extents[extents.length - 1] = { ...last, length: last.length + unitBytes };
    } else {
      extents.push({ start: index * unitBytes, length: unitBytes, ...meaning });
    }
  }
  return extents;
}

/**
 * A server that cuts each context on its own, after as many extents, each of as many
 * units, as `sizes` says in turn.
 * @param longer the last extent of an answer reaches past the end
 */
function serverOf(units: readonly Unit[], sizes: readonly number[], longer: boolean): AskBlockStatus {
  let turn = 0;
  const nextSize = (): number => sizes[turn++ % sizes.length]!;
  const answer = (first: number, which: 0 | 1 | 2): Buffer => {
    const descriptors: number[] = [];
    let at = first;
    for (let extents = nextSize(); extents > 0 && at < units.length; extents -= 1) {
      const flags = units[at]![which];
      let end = at + 1;
      for (let more = nextSize(); more > 1 && units[end]?.[which] === flags; more -= 1) end += 1;
      const extraBytes = longer && end === units.length ? unitBytes * 3 : 0;
      descriptors.push((end - at) * unitBytes + extraBytes, flags);
      at = end;
    }
    return u32(...descriptors);
  };
  return async ({ offsetBytes, lengthBytes }) => {
    const first = offsetBytes / unitBytes;
    assert.ok(lengthBytes <= (units.length - first) * unitBytes);
    return new Map(([0, 1, 2] as const).map((which) => [which + 1, answer(first, which)]));
  };
}

describe('NBD extents', () => {
  test('are the same however the server cuts, shortens or prolongs its answers', async () => {
    const unit = fc.tuple(fc.constantFrom(0, 1, 2, 3), fc.constantFrom(0, 1, 2), fc.constantFrom(0, 1));
    const image = fc.array(unit, { minLength: 1, maxLength: 60 });
    const sizes = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 20 });
    const context = fc.constantFrom<ExtentContext[]>('zero', 'dirty');
    await fc.assert(
      fc.asyncProperty(image, sizes, fc.boolean(), context, async (units, sizesInTurn, longer, wanted) => {
        const ask = serverOf(units, sizesInTurn, longer);
        const extents = await list(exportOf(units.length * unitBytes), wanted, ask);
        assert.deepEqual(extents, modelOf(units, wanted));
      }),
      { numRuns: 300 },
    );
  });

  test('of a part are cut at its ends, and the server is asked for no block beyond them', async () => {
    const unit = fc.tuple(fc.constantFrom(0, 1, 2, 3), fc.constantFrom(0, 1, 2), fc.constantFrom(0, 1));
    const image = fc.array(unit, { minLength: 1, maxLength: 60 });
    const ends = fc.tuple(fc.nat(61 * unitBytes), fc.nat(61 * unitBytes));
    await fc.assert(
      fc.asyncProperty(image, ends, async (units, [one, other]) => {
        const [start, end] = [Math.min(one, other), Math.max(one, other)];
        const asked: ByteRange[] = [];
        const serve = serverOf(units, [3], false);
        const extents = await list(
          exportOf(units.length * unitBytes, allContexts, unitBytes),
          'zero',
          (range) => {
            asked.push(range);
            return serve(range);
          },
          { offsetBytes: start, lengthBytes: end - start },
        );
        const expected = modelOf(units, 'zero').flatMap((extent) => {
          const cutStart = Math.max(extent.start, start);
          const length = Math.min(extent.start + extent.length, end) - cutStart;
          return length > 0 ? [{ ...extent, start: cutStart, length }] : [];
        });
        assert.deepEqual(extents, expected);
        for (const { offsetBytes, lengthBytes } of asked) {
          assert.equal(offsetBytes % unitBytes, 0);
          assert.ok(offsetBytes > start - unitBytes && offsetBytes + lengthBytes < end + unitBytes);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('ask for at most 2 GiB at a time, one request ahead', async () => {
    const ranges: ByteRange[] = [];
    const ask = async (range: ByteRange) => {
      ranges.push(range);
      // Differs from request to request, so that each is an extent of its own.
      return new Map([[1, u32(range.lengthBytes, ranges.length % 2 === 0 ? 2 : 0)]]);
    };
    const extents = nbdExtents(exportOf(5 * GiB, { allocation: 1 }), 'zero', ask);
    assert.equal((await extents.next()).value?.[0]?.length, 2 * GiB);
    assert.deepEqual(ranges, [
      { offsetBytes: 0, lengthBytes: 2 * GiB },
      { offsetBytes: 2 * GiB, lengthBytes: 2 * GiB },
      { offsetBytes: 4 * GiB, lengthBytes: GiB },
    ]);
    await extents.return();
  });

  const unknown = { start: 0, length: 8192, zero: false, hole: false };
  const never: AskBlockStatus = () => assert.fail('nothing to ask');
  test('are one extent of data when the server reports none', async () => {
    assert.deepEqual(await list(exportOf(8192, {}), 'zero', never), [unknown]);
  });

  test('are changed data when there is no bitmap', async () => {
    assert.deepEqual(await list(exportOf(8192, { allocation: 1 }), 'dirty', never), [
      { ...unknown, dirty: true },
    ]);
  });

  test('of an empty image are none', async () => {
    assert.deepEqual(await list(exportOf(0), 'zero', never), []);
    assert.deepEqual(await list(exportOf(0, {}), 'zero', never), []);
  });

  test('have no holes where the server does not know the depth', async () => {
    const ask = async () => new Map([[1, u32(8192, 3)]]);
    assert.deepEqual(await list(exportOf(8192, { allocation: 1 }), 'zero', ask), [
      { ...unknown, zero: true },
    ]);
  });

  for (const failing of [new NbdRequestError('blockStatus', 'EIO'), new Map([[1, u32(0, 0)]])]) {
    const what = failing instanceof Map ? 'an empty answer' : 'a failing one';
    test(`end as one extent of data after ${what}`, async () => {
      const ask = async ({ offsetBytes }: ByteRange) => {
        if (offsetBytes === 0) return new Map([[1, u32(1024, 2)]]);
        if (failing instanceof Map) return failing;
        throw failing;
      };
      assert.deepEqual(await list(exportOf(8192, { allocation: 1 }), 'zero', ask), [
        { start: 0, length: 1024, zero: true, hole: false },
        { start: 1024, length: 7168, zero: false, hole: false },
      ]);
    });
  }

  test('fail when the connection ends', async () => {
    const ask = async () => Promise.reject(new NbdConnectionError('gone'));
    await assert.rejects(list(exportOf(8192), 'zero', ask), NbdConnectionError);
  });

  test('are asked for from whole blocks on', async () => {
    const offsets: number[] = [];
    const ask = async ({ offsetBytes }: ByteRange) => {
      offsets.push(offsetBytes);
      return new Map([[1, u32(offsetBytes === 0 ? 1500 : 8192, 0)]]);
    };
    await list(exportOf(8192, { allocation: 1 }, 512), 'zero', ask);
    assert.deepEqual(offsets, [0, 1024]);
  });

  test('come in lists of bounded length, whatever the server sends at once', async () => {
    const count = 2500;
    const descriptors = Array.from({ length: count }, (_, index) => u32(512, index % 2 === 0 ? 0 : 2));
    const lists: (readonly Extent[])[] = [];
    const ask = async () => new Map([[1, Buffer.concat(descriptors)]]);
    for await (const extents of nbdExtents(exportOf(count * 512, { allocation: 1 }), 'zero', ask))
      lists.push(extents);
    assert.deepEqual(
      lists.map(({ length }) => length),
      [1000, 1000, 499, 1],
    );
    assert.deepEqual(
      lists.flat().map(({ start }) => start),
      descriptors.map((_, index) => index * 512),
    );
  });

  test('leave no request behind when their reader stops', async () => {
    let answerSecond!: () => void;
    const ask = async ({ offsetBytes }: ByteRange) => {
      if (offsetBytes > 0) await new Promise<void>((resolve) => (answerSecond = resolve));
      return new Map([[1, u32(1024, 0, 1024, 2)]]);
    };
    const extents = nbdExtents(exportOf(8192, { allocation: 1 }), 'zero', ask);
    await extents.next();
    let stopped = false;
    const stopping = extents.return().then(() => (stopped = true));
    await setImmediate();
    assert.equal(stopped, false);
    answerSecond();
    await stopping;
  });

  test('report a failed request ahead only to the reader who comes to it', async () => {
    const ask = async ({ offsetBytes }: ByteRange) => {
      if (offsetBytes > 0) throw new NbdConnectionError('gone');
      return new Map([[1, u32(1024, 0, 1024, 2, 1024, 0)]]);
    };
    const extents = nbdExtents(exportOf(8192, { allocation: 1 }), 'zero', ask);
    const { value } = await extents.next();
    assert.deepEqual(
      value?.map(({ start }) => start),
      [0, 1024],
    );
    await setImmediate();
    await assert.rejects(extents.next(), NbdConnectionError);
  });
});
