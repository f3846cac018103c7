import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type LedgerEntry, ReadLedger } from './read-ledger.js';

function entry(number: number): LedgerEntry {
  return { cell: number, offsetBytes: number * 2 ** 40, lengthBytes: number + 1, atSeconds: number / 7 };
}

function drained(ledger: ReadLedger): LedgerEntry[] {
  const entries: LedgerEntry[] = [];
  ledger.drain((one) => entries.push(one));
  return entries;
}

/** @returns how many there was room for */
function fill(ledger: ReadLedger): number {
  let count = 0;
  for (; !ledger.isFull; count += 1) ledger.add(entry(count));
  return count;
}

describe('the ledger of what was sent', () => {
  test('has each entry once, in the order in which they were added', () => {
    const ledger = new ReadLedger();
    const entries = [0, 1, 2].map(entry);
    for (const one of entries) ledger.add(one);
    assert.equal(ledger.count, 3);
    // Another thread has the same memory.
    assert.deepEqual(drained(new ReadLedger(ledger.memory)), entries);
    assert.deepEqual(drained(ledger), []);
  });

  test('refuses an entry when it is full, and takes more once it was read', () => {
    const ledger = new ReadLedger();
    const count = fill(ledger);
    assert.throws(() => {
      ledger.add(entry(0));
    }, /no room/);
    assert.equal(drained(ledger).length, count);
    assert.equal(fill(ledger), count);
  });

  test('says once that it is half full', () => {
    const ledger = new ReadLedger();
    let said = 0;
    while (!ledger.isFull) {
      ledger.add(entry(1));
      if (ledger.isHalfFull) said += 1;
    }
    assert.equal(said, 1);
  });

  test('goes on where its counters wrap around', () => {
    const ledger = new ReadLedger();
    const counters = new Int32Array(ledger.memory, 0, 32);
    counters[0] = counters[16] = 2 ** 31 - 5;
    const entries = Array.from({ length: 10 }, (_, number) => entry(number));
    for (const one of entries) ledger.add(one);
    assert.equal(ledger.count, 10);
    assert.deepEqual(drained(ledger), entries);
  });

  test('loses nothing between two threads', async () => {
    const count = 50_000;
    const ledger = new ReadLedger();
    const script = `
      const { workerData } = require('node:worker_threads');
      import(workerData.module).then(({ ReadLedger }) => {
        const ledger = new ReadLedger(workerData.memory);
        for (let number = 0; number < ${count}; number += 1) {
          while (ledger.isFull);
          ledger.add({ cell: number, offsetBytes: number, lengthBytes: number, atSeconds: number });
        }
      });`;
    const module = new URL('read-ledger.js', import.meta.url).href;
    const worker = new Worker(script, { eval: true, workerData: { module, memory: ledger.memory } });
    const ended = once(worker, 'exit');
    let next = 0;
    while (next < count) {
      ledger.drain(({ cell, offsetBytes, lengthBytes, atSeconds }) => {
        assert.deepEqual([cell, offsetBytes, lengthBytes, atSeconds], [next, next, next, next]);
        next += 1;
      });
      await new Promise(setImmediate);
    }
    await ended;
    assert.equal(ledger.count, 0);
  });
});
