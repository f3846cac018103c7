import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GiB, MiB, type ByteRange } from '../../base/units.js';
import type { Backend, Extent } from '../backends/backend.js';
import { extentsPage, type PageOptions } from './extents-page.js';

type Extents = Pick<Backend, 'extents'>;

const all = (sizeBytes: number): ByteRange => ({ offsetBytes: 0, lengthBytes: sizeBytes });

interface Page {
  readonly extents: readonly Extent[];
  readonly nextBytes: number | undefined;
}

async function pageOf(backend: Extents, range: ByteRange, options: Omit<PageOptions, 'take'>): Promise<Page> {
  const extents: Extent[] = [];
  const take = (some: readonly Extent[]): void => {
    extents.push(...some);
  };
  const nextBytes = await extentsPage(backend, 'zero', range, { ...options, take });
  return { extents, nextBytes };
}

/** Data and zeroes in turn, a MiB each. */
function fragmented(asked: ByteRange[] = []): Extents {
  return {
    async *extents(_context, range = all(GiB)) {
      asked.push(range);
      const end = range.offsetBytes + range.lengthBytes;
      for (let start = range.offsetBytes; start < end;) {
        const length = Math.min(end, (Math.floor(start / MiB) + 1) * MiB) - start;
        yield [{ start, length, zero: Math.floor(start / MiB) % 2 === 1, hole: false }];
        start += length;
      }
    },
  };
}

/** One hole, of which each look at storage takes some time. */
function slowHole(lookMs: number): Extents {
  return {
    async *extents(_context, range = all(GiB)) {
      await new Promise((resolve) => setTimeout(resolve, lookMs));
      yield [{ start: range.offsetBytes, length: range.lengthBytes, zero: true, hole: false }];
    },
  };
}

describe('a page of extents', () => {
  test('has at most so many, and the next begins where it ends', async () => {
    const asked: ByteRange[] = [];
    const whole: Extent[] = [];
    let next: number | undefined = MiB / 2;
    while (next !== undefined) {
      const range: ByteRange = { offsetBytes: next, lengthBytes: 10 * MiB - next };
      const page = await pageOf(fragmented(asked), range, { limit: 3 });
      assert.ok(page.extents.length <= 3);
      whole.push(...page.extents);
      next = page.nextBytes;
    }
    assert.equal(whole.length, 10);
    assert.equal(whole[0]?.start, MiB / 2);
    assert.equal(whole.at(-1)!.start + whole.at(-1)!.length, 10 * MiB);
    // Storage is asked for each page from where it begins.
    assert.deepEqual(
      asked.map(({ offsetBytes }) => offsetBytes / MiB),
      [0.5, 3, 6, 9],
    );
  });

  test('that is the last has no next', async () => {
    for (const limit of [10, 11]) {
      const page = await pageOf(fragmented(), all(10 * MiB), { limit });
      assert.equal(page.extents.length, 10);
      assert.equal(page.nextBytes, undefined);
    }
    assert.deepEqual(await pageOf(fragmented(), all(0), { limit: 1 }), {
      extents: [],
      nextBytes: undefined,
    });
  });

  test('ends with what is known of a hole that takes storage long', async () => {
    const { extents, nextBytes = 0 } = await pageOf(slowHole(150), all(8192 * GiB), {
      limit: 10,
      patienceMs: 100,
    });
    assert.ok(nextBytes > 0 && nextBytes < 8192 * GiB);
    assert.deepEqual(extents, [{ start: 0, length: nextBytes, zero: true, hole: false }]);
  });

  test('has a hole as one extent where storage is quick', async () => {
    const page = await pageOf(slowHole(0), all(8192 * GiB), { limit: 10, patienceMs: 60_000 });
    assert.deepEqual(page.extents, [{ start: 0, length: 8192 * GiB, zero: true, hole: false }]);
  });
});
