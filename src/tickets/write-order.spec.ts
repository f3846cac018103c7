import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { UnavailableError } from '../base/errors.js';
import type { ByteRange } from '../base/units.js';
import { WriteOrder, type OrderedWrite } from './write-order.js';

const never = new AbortController().signal;

/** Storage that answers when it is told to. */
class Storage {
  readonly begun: string[] = [];
  readonly #answers: PromiseWithResolvers<undefined>[] = [];

  /** Begins a change of [start, end). */
  apply(
    write: OrderedWrite,
    name: string,
    [start, end]: readonly [number, number],
    signal = never,
  ): Promise<void> {
    return write.apply(range(start, end), signal, async ({ offsetBytes, lengthBytes }) => {
      this.begun.push(`${name} ${offsetBytes}-${offsetBytes + lengthBytes}`);
      const answer = Promise.withResolvers<undefined>();
      this.#answers.push(answer);
      await answer.promise;
    });
  }

  /** Answers the oldest change that it has not answered. */
  async answer(failure?: Error): Promise<void> {
    const answer = this.#answers.shift();
    assert.ok(answer);
    if (failure === undefined) answer.resolve(undefined);
    else answer.reject(failure);
    await turn();
  }

  /** Does a change at once. */
  async change(write: OrderedWrite, name: string, [start, end]: readonly [number, number]): Promise<void> {
    const changed = this.apply(write, name, [start, end]);
    while (this.#answers.length > 0) await this.answer();
    await changed;
  }
}

function range(start: number, end: number): ByteRange {
  return { offsetBytes: start, lengthBytes: end - start };
}

describe('the order of writes', () => {
  test('drops what a younger request has written', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const older = order.begin(range(0, 100));
    const younger = order.begin(range(20, 60));
    await storage.change(younger, 'younger', [20, 60]);
    younger.end();
    await storage.change(older, 'older', [0, 50]);
    await storage.change(older, 'older', [50, 100]);
    assert.deepEqual(storage.begun, ['younger 20-60', 'older 0-20', 'older 60-100']);
  });

  test('does nothing for a range of which nothing is left', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const older = order.begin(range(0, 100));
    await storage.change(order.begin(range(0, 200)), 'younger', [0, 200]);
    await older.apply(range(0, 100), never, async () => assert.fail('nothing is left to change'));
  });

  test('lets a younger request write over what an older one has written', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const older = order.begin(range(0, 100));
    const younger = order.begin(range(0, 100));
    await storage.change(older, 'older', [0, 100]);
    await storage.change(younger, 'younger', [0, 100]);
    assert.deepEqual(storage.begun, ['older 0-100', 'younger 0-100']);
  });

  test('forgets a request that has ended', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const first = order.begin(range(0, 100));
    await storage.change(first, 'first', [0, 100]);
    first.end();
    await storage.change(order.begin(range(0, 100)), 'second', [0, 100]);
    assert.deepEqual(storage.begun, ['first 0-100', 'second 0-100']);
  });

  test('has a younger request wait for what storage does for an older one at the same bytes', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const older = order.begin(range(0, 100));
    const younger = order.begin(range(0, 100));
    const changes = [storage.apply(older, 'older', [0, 50]), storage.apply(younger, 'younger', [49, 100])];
    await turn();
    assert.deepEqual(storage.begun, ['older 0-50']);
    await storage.answer();
    assert.deepEqual(storage.begun, ['older 0-50', 'younger 49-100']);
    await storage.answer();
    await Promise.all(changes);
  });

  test('has an older request wait for what replaces its bytes, and drop them then', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const older = order.begin(range(0, 100));
    const younger = order.begin(range(0, 100));
    const changes = [storage.apply(younger, 'younger', [0, 50]), storage.apply(older, 'older', [0, 100])];
    await turn();
    assert.deepEqual(storage.begun, ['younger 0-50']);
    await storage.answer();
    assert.deepEqual(storage.begun, ['younger 0-50', 'older 50-100']);
    await storage.answer();
    await Promise.all(changes);
  });

  test('writes the bytes of an older request when what would have replaced them failed', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const older = order.begin(range(0, 100));
    const younger = order.begin(range(0, 100));
    const replacing = storage.apply(younger, 'younger', [0, 100]);
    const change = storage.apply(older, 'older', [0, 100]);
    await turn();
    const failed = assert.rejects(replacing, /no space/);
    await storage.answer(new Error('no space'));
    await failed;
    assert.deepEqual(storage.begun, ['younger 0-100', 'older 0-100']);
    await storage.answer();
    await change;
  });

  test('has nobody wait who changes other bytes', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const changes = [0, 1, 2].map((index) => {
      const [start, end] = [index * 100, index * 100 + 100] as const;
      return storage.apply(order.begin(range(start, end)), `${index}`, [start, end]);
    });
    assert.deepEqual(storage.begun, ['0 0-100', '1 100-200', '2 200-300']);
    for (const change of changes) {
      await storage.answer();
      await change;
    }
  });

  test('has a request not wait for itself', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const write = order.begin(range(0, 100));
    const changes = [storage.apply(write, 'one', [0, 60]), storage.apply(write, 'two', [50, 100])];
    assert.deepEqual(storage.begun, ['one 0-60', 'two 50-100']);
    await storage.answer();
    await storage.answer();
    await Promise.all(changes);
  });

  test('begins nothing for a request that was aborted while it waited', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const first = storage.apply(order.begin(range(0, 10)), 'first', [0, 10]);
    const controller = new AbortController();
    const second = storage.apply(order.begin(range(0, 10)), 'second', [0, 10], controller.signal);
    const refused = assert.rejects(second, /canceled/);
    await turn();
    controller.abort(new Error('canceled'));
    await storage.answer();
    await Promise.all([first, refused]);
    assert.deepEqual(storage.begun, ['first 0-10']);
  });

  test('bounds what it remembers of a request that is overtaken everywhere', async () => {
    const [order, storage] = [new WriteOrder(), new Storage()];
    const older = order.begin(range(0, 100_000));
    const younger = order.begin(range(0, 100_000));
    for (let start = 0; start < 2 * 4097; start += 2)
      await younger.apply(range(start, start + 1), never, () => Promise.resolve());
    await assert.rejects(storage.apply(older, 'older', [0, 100_000]), UnavailableError);
    assert.deepEqual(storage.begun, []);
  });

  test('leaves each byte to the youngest of the requests that wrote it, whoever comes first', async () => {
    // Every interleaving of the changes of three requests, with storage that answers in the order it was
    // asked.
    const ranges = [
      [0, 6],
      [2, 8],
      [4, 5],
    ] as const;
    for (const turns of permutations([0, 0, 1, 1, 2, 2])) {
      const order = new WriteOrder();
      const image = new Array<number>(8).fill(-1);
      const writes = ranges.map(([start, end]) => order.begin(range(start, end)));
      const next = ranges.map(([start]) => start as number);
      const changes = turns.map((index) => {
        const [start, end] = [next[index]!, Math.min(next[index]! + 3, ranges[index]![1])];
        next[index] = end;
        return writes[index]!.apply(range(start, end), never, async ({ offsetBytes, lengthBytes }) => {
          await turn();
          image.fill(index, offsetBytes, offsetBytes + lengthBytes);
        });
      });
      await Promise.all(changes);
      assert.deepEqual(image, [0, 0, 1, 1, 2, 1, 1, 1], turns.join());
    }
  });
});

function permutations(items: readonly number[]): readonly (readonly number[])[] {
  if (items.length === 0) return [[]];
  return [...new Set(items)].flatMap((item) => {
    const rest = [...items];
    rest.splice(rest.indexOf(item), 1);
    return permutations(rest).map((permutation) => [item, ...permutation]);
  });
}
