import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { allWireRoutes, describeWire, type Wire } from './wire-under-test.js';

interface Ranges {
  readonly size: number;
  readonly generation: number;
  readonly received_bytes: number;
  readonly durable_bytes: number;
  readonly ranges: readonly { start: number; length: number; state: string; zero: boolean }[];
  readonly next: number | null;
}

const imageBytes = 8 * MiB;

describeWire('the ranges that a ticket has brought to its image', { routes: allWireRoutes }, (wire) => {
  const ranges = async (path: string, query = ''): Promise<Ranges> => {
    const { status, text } = await wire.client().request('GET', `${path}/ranges${query}`);
    assert.equal(status, 200, text);
    return JSON.parse(text) as Ranges;
  };
  const put = async (path: string, start: number, length: number, flush: 'y' | 'n'): Promise<void> => {
    const { status, text } = await wire.client().request('PUT', `${path}?flush=${flush}`, {
      headers: { 'Content-Range': `bytes ${start}-${start + length - 1}/*` },
      body: Buffer.alloc(length, 'data'),
    });
    assert.equal(status, 200, text);
  };
  const patch = async (path: string, operation: object): Promise<void> => {
    const body = JSON.stringify(operation);
    assert.equal((await wire.client().request('PATCH', path, { body })).status, 200);
  };

  test('are none before the first byte', async () => {
    assert.deepEqual(await ranges(await addImage(wire)), {
      size: imageBytes,
      generation: 1,
      received_bytes: 0,
      durable_bytes: 0,
      ranges: [],
      next: null,
    });
  });

  test('are received when storage took them, and durable after a flush', async () => {
    const path = await addImage(wire);
    await put(path, MiB, MiB, 'n');
    await patch(path, { op: 'zero', offset: 4 * MiB, size: MiB });
    const before = await ranges(path);
    assert.deepEqual(before.ranges, [
      { start: MiB, length: MiB, state: 'received', zero: false },
      { start: 4 * MiB, length: MiB, state: 'received', zero: true },
    ]);
    assert.deepEqual((await ranges(path, '?state=durable')).ranges, []);
    await patch(path, { op: 'flush' });
    await put(path, 6 * MiB, 64 * KiB, 'n');
    const after = await ranges(path);
    assert.deepEqual(
      after.ranges.map(({ start, state }) => [start, state]),
      [
        [MiB, 'durable'],
        [4 * MiB, 'durable'],
        [6 * MiB, 'received'],
      ],
    );
    assert.equal(after.durable_bytes, 2 * MiB);
    assert.equal(after.received_bytes, 2 * MiB + 64 * KiB);
    assert.equal(after.generation, before.generation);
  });

  test('are received only again where a later write has changed what was durable', async () => {
    const path = await addImage(wire);
    await put(path, 0, 2 * MiB, 'y');
    await put(path, MiB, MiB, 'n');
    assert.deepEqual((await ranges(path, '?state=durable')).ranges, [
      { start: 0, length: MiB, state: 'durable', zero: false },
    ]);
  });

  test('come in pages that go on where the one before ended', async () => {
    const path = await addImage(wire);
    for (let index = 0; index < 5; index++) await put(path, index * MiB, 64 * KiB, 'n');
    const starts: number[] = [];
    for (let next: number | null = 0; next !== null;) {
      const page: Ranges = await ranges(path, `?limit=2&start=${next}`);
      starts.push(...page.ranges.map(({ start }) => start));
      ({ next } = page);
    }
    assert.deepEqual(starts, [0, MiB, 2 * MiB, 3 * MiB, 4 * MiB]);
  });

  test('are told to nobody whose ticket only reads', async () => {
    const path = await addImage(wire, 'read');
    assert.equal((await wire.client().request('GET', `${path}/ranges`)).status, 403);
  });

  test('are refused by what is malformed', async () => {
    const path = await addImage(wire);
    for (const query of ['state=all', 'start=-1', 'start=1e3', 'limit=0', 'limit=10001', 'start=1&start=2']) {
      const { status, text } = await wire.client().request('GET', `${path}/ranges?${query}`);
      assert.equal(status, 400, text);
      assert.match(text, /^Invalid (state|start|limit), expected /);
    }
  });
});

async function addImage(wire: Wire, operation: 'read' | 'write' = 'write'): Promise<string> {
  const { path } = await wire.addImage(imageBytes, { ops: [operation] });
  return path;
}
