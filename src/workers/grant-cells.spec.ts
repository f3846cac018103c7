import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { GrantCells, type Grant } from './grant-cells.js';

function granted(cells: GrantCells): Grant {
  const grant = cells.grant();
  assert.ok(grant !== undefined);
  return grant;
}

describe('cells of grants', () => {
  test('let nobody begin by a grant that is suspended, and tell who is reading', () => {
    const cells = GrantCells.create(1);
    const grant = granted(cells);
    assert.ok(cells.enter(grant));
    cells.suspend(grant);
    assert.equal(cells.isRevoked(grant), false);
    assert.equal(cells.enter(grant), false);
    assert.equal(cells.endReading(grant), false);
    cells.endAnswering(grant);
    assert.ok(cells.isReading(grant));
    assert.equal(cells.endReading(grant), false);
    assert.equal(cells.isReading(grant), false);
    assert.ok(cells.isAnswering(grant));
    cells.endAnswering(grant);
    assert.equal(cells.isAnswering(grant), false);
  });

  test('tell whoever ends a read of a grant that was revoked', () => {
    const cells = GrantCells.create(1);
    const grant = granted(cells);
    assert.ok(cells.enter(grant));
    cells.revoke(grant);
    assert.ok(cells.isReading(grant));
    assert.ok(cells.endReading(grant));
  });

  test('are as many as were asked for, and those that are released are used again', () => {
    const cells = GrantCells.create(2);
    const [first, second] = [granted(cells), granted(cells)];
    assert.equal(cells.grant(), undefined);
    cells.revoke(first);
    cells.release(first);
    const third = granted(cells);
    assert.equal(third.cell, first.cell);
    assert.ok(cells.isRevoked(first));
    assert.equal(cells.enter(first), false);
    assert.equal(cells.isRevoked(second), false);
    cells.endReading(first);
    cells.endAnswering(first);
    assert.ok(cells.enter(third));
  });

  test('let no thread read once it was seen that none does, however they race', async () => {
    const cells = GrantCells.create(1);
    const seen = new Int32Array(new SharedArrayBuffer(12));
    const [stop, reading, begun] = [0, 1, 2];
    const script = `
      const { workerData, parentPort } = require('node:worker_threads');
      import(workerData.module).then(({ GrantCells }) => {
        const cells = new GrantCells(workerData.memory);
        const seen = workerData.seen;
        parentPort.postMessage('ready');
        for (let number = 1; Atomics.load(seen, ${stop}) === 0; number += 1) {
          const grant = { cell: 0, number: Atomics.load(seen, ${begun}) };
          if (cells.enter(grant)) {
            Atomics.store(seen, ${reading}, grant.number);
            Atomics.store(seen, ${reading}, 0);
          }
          cells.endReading(grant);
          cells.endAnswering(grant);
        }
      });`;
    const module = new URL('grant-cells.js', import.meta.url).href;
    const worker = new Worker(script, { eval: true, workerData: { module, memory: cells.memory, seen } });
    await once(worker, 'message');
    for (let round = 0; round < 20_000; round += 1) {
      const grant = granted(cells);
      Atomics.store(seen, begun, grant.number);
      // Sometimes the thread has begun by then.
      for (let spin = round % 200; spin > 0; spin -= 1) Atomics.load(seen, reading);
      cells.revoke(grant);
      while (cells.isReading(grant));
      assert.notEqual(Atomics.load(seen, reading), grant.number);
      cells.release(grant);
    }
    Atomics.store(seen, stop, 1);
    await once(worker, 'exit');
  });
});
