import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../../test/support/random.js';
import { RangeSet } from './byte-ranges.js';
import type { DiskExtent } from './disk.js';
import { planTransfer, type PlannedPiece } from './plan.js';

const blockBytes = 4;

/** A disk as a text: `.` is a byte of zeroes, anything else is data. */
async function* extentsOf(text: string): AsyncGenerator<DiskExtent> {
  for (const { 0: run, index: offsetBytes } of text.matchAll(/\.+|[^.]+/g))
    yield { offsetBytes, lengthBytes: run.length, zero: run.startsWith('.') };
}

async function plan(
  source: string,
  options: { target?: string; done?: [number, number][] } = {},
): Promise<string[]> {
  const { target, done = [] } = options;
  const pieces: PlannedPiece[] = [];
  const planned = planTransfer({
    sizeBytes: source.length,
    blockBytes,
    source: extentsOf(source),
    target: target === undefined ? undefined : extentsOf(target),
    done: RangeSet.of(done.map(([offsetBytes, lengthBytes]) => ({ offsetBytes, lengthBytes }))),
  });
  for await (const piece of planned) pieces.push(piece);
  return pieces.map((piece) => {
    const there = piece.kind !== 'done' && piece.targetIsZero ? ' over zeroes' : '';
    return `${piece.kind} ${piece.offsetBytes}+${piece.lengthBytes}${there}`;
  });
}

describe('the plan of a transfer', () => {
  test('takes blocks with data one by one and zeroes in one row', async () => {
    assert.deepEqual(await plan('aaaabbbb............cccc'), [
      'data 0+4',
      'data 4+4',
      'zero 8+12',
      'data 20+4',
    ]);
  });

  test('takes a block with any data for data', async () => {
    assert.deepEqual(await plan('...a............b...'), ['data 0+4', 'zero 4+12', 'data 16+4']);
  });

  test('ends with a block that is shorter', async () => {
    assert.deepEqual(await plan('aaaaa'), ['data 0+4', 'data 4+1']);
    assert.deepEqual(await plan('aaaa.......'), ['data 0+4', 'zero 4+7']);
    assert.deepEqual(await plan(''), []);
  });

  test('tells zeroes that the target has already from those it has not', async () => {
    assert.deepEqual(await plan('................aaaa', { target: '........xxxx........' }), [
      'zero 0+8 over zeroes',
      'zero 8+4',
      'zero 12+4 over zeroes',
      'data 16+4 over zeroes',
    ]);
  });

  test('trusts nothing where the target does not say what it has', async () => {
    assert.deepEqual(await plan('............', { target: '....' }), ['zero 0+4 over zeroes', 'zero 4+8']);
  });

  test('leaves out whole blocks that are there', async () => {
    assert.deepEqual(await plan('aaaabbbbccccdddd', { done: [[2, 10]] }), [
      'data 0+4',
      'done 4+8',
      'data 12+4',
    ]);
  });

  test('passes 8 TiB of zeroes in a few steps', async () => {
    const sizeBytes = 8 * 2 ** 40;
    async function* zeroes(): AsyncGenerator<DiskExtent> {
      yield { offsetBytes: 0, lengthBytes: sizeBytes, zero: true };
    }
    const planned = planTransfer({
      sizeBytes,
      blockBytes: 4 * 2 ** 20,
      source: zeroes(),
      target: zeroes(),
      done: new RangeSet(),
    });
    const pieces: PlannedPiece[] = [];
    for await (const piece of planned) pieces.push(piece);
    assert.deepEqual(pieces, [{ kind: 'zero', targetIsZero: true, offsetBytes: 0, lengthBytes: sizeBytes }]);
  });

  test('covers any disk without gaps, whatever the extents', async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new SeededRandom(seed);
      const size = random.below(60);
      const text = (): string =>
        Array.from({ length: size }, () => (random.next() < 0.7 ? '.' : 'x')).join('');
      const source = text();
      const target = text();
      const planned = planTransfer({
        sizeBytes: size,
        blockBytes,
        source: extentsOf(source),
        target: extentsOf(target),
        done: new RangeSet(),
      });
      let endBytes = 0;
      for await (const { kind, offsetBytes, lengthBytes, ...rest } of planned) {
        assert.equal(offsetBytes, endBytes, `seed ${seed}`);
        endBytes = offsetBytes + lengthBytes;
        const part = (disk: string): boolean => /^\.*$/.test(disk.slice(offsetBytes, endBytes));
        assert.equal(kind === 'zero', part(source), `seed ${seed}`);
        assert.equal('targetIsZero' in rest && rest.targetIsZero, part(target), `seed ${seed}`);
      }
      assert.equal(endBytes, size, `seed ${seed}`);
    }
  });
});
