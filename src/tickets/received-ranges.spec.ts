import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ByteRange } from '../base/units.js';
import { ReceivedRanges, type ReceivedPage, type ReceivedRange } from './received-ranges.js';

const rangesMax = 65_536;

/** Something that storage does until the test ends it. */
class Running {
  readonly #storage = Promise.withResolvers<undefined>();
  readonly #outcome: Promise<unknown>;

  constructor(run: (storage: () => Promise<void>) => Promise<void>) {
    this.#outcome = run(async () => {
      await this.#storage.promise;
    }).catch((error: unknown) => error);
  }

  async succeed(): Promise<void> {
    this.#storage.resolve(undefined);
    assert.equal(await this.#outcome, undefined);
  }

  async fail(): Promise<void> {
    const failure = new Error('Storage failed');
    this.#storage.reject(failure);
    assert.equal(await this.#outcome, failure);
  }
}

function change(account: ReceivedRanges, start: number, end: number, zero = false): Running {
  return new Running((storage) => account.change(range(start, end), { zero }, storage));
}

function flush(account: ReceivedRanges): Running {
  return new Running((storage) => account.flush(storage));
}

async function receive(account: ReceivedRanges, start: number, end: number, zero = false): Promise<void> {
  await change(account, start, end, zero).succeed();
}

function range(start: number, end: number): ByteRange {
  return { offsetBytes: start, lengthBytes: end - start };
}

function whole(account: ReceivedRanges): ReceivedPage {
  return account.page({ state: 'received', startBytes: 0, rangesMax: Infinity });
}

/** As in `0-10 durable zero`. */
function described(account: ReceivedRanges): string[] {
  return whole(account).ranges.map(describeRange);
}

function describeRange({ offsetBytes, lengthBytes, state, zero }: ReceivedRange): string {
  return `${offsetBytes}-${offsetBytes + lengthBytes} ${state}${zero ? ' zero' : ''}`;
}

describe('what was received', () => {
  test('is one range while it comes in one piece, and counts once', async () => {
    const account = new ReceivedRanges(rangesMax);
    for (let start = 0; start < 100; start += 10) await receive(account, start, start + 10);
    await receive(account, 20, 30);
    assert.deepEqual(described(account), ['0-100 received']);
    assert.equal(account.receivedBytes, 100);
    assert.equal(account.generation, 1);
  });

  test('is told only when storage has taken it', async () => {
    const account = new ReceivedRanges(rangesMax);
    const running = change(account, 0, 10);
    assert.deepEqual(described(account), []);
    await running.succeed();
    assert.deepEqual(described(account), ['0-10 received']);
  });

  test('claims nothing of what is held back before it is confirmed', async () => {
    const account = new ReceivedRanges(rangesMax);
    await receive(account, 0, 30);
    const held = account.holdBack();
    await account.change(range(10, 40), { zero: false, held }, async () => undefined);
    assert.deepEqual(described(account), ['0-10 received']);
    assert.equal(account.generation, 2);
    await receive(account, 20, 25, true);
    await change(account, 25, 30).fail();
    account.confirm(held, range(10, 40));
    assert.deepEqual(described(account), ['0-20 received', '20-25 received zero', '30-40 received']);
  });

  test('is not what was held back when storage has lost what it had taken', async () => {
    const account = new ReceivedRanges(rangesMax);
    const held = account.holdBack();
    await account.change(range(0, 10), { zero: false, held }, async () => undefined);
    account.takeBack();
    account.confirm(held, range(0, 10));
    assert.deepEqual(described(account), []);
  });

  test('tells zeroes apart', async () => {
    const account = new ReceivedRanges(rangesMax);
    await receive(account, 0, 30, true);
    await receive(account, 10, 20);
    assert.deepEqual(described(account), ['0-10 received zero', '10-20 received', '20-30 received zero']);
    await flush(account).succeed();
    assert.deepEqual(described(account), ['0-10 durable zero', '10-20 durable', '20-30 durable zero']);
  });

  test('is not known any more where a change failed, which begins a generation', async () => {
    const account = new ReceivedRanges(rangesMax);
    await change(account, 0, 10).fail();
    assert.equal(account.generation, 1);
    await receive(account, 0, 30);
    await flush(account).succeed();
    await change(account, 10, 20).fail();
    assert.deepEqual(described(account), ['0-10 durable', '20-30 durable']);
    assert.equal(account.generation, 2);
  });
});

describe('what is durable', () => {
  test('was received before a flush began that succeeded', async () => {
    const account = new ReceivedRanges(rangesMax);
    await receive(account, 0, 10);
    const flushing = flush(account);
    await receive(account, 10, 20);
    assert.deepEqual(described(account), ['0-20 received']);
    await flushing.succeed();
    assert.deepEqual(described(account), ['0-10 durable', '10-20 received']);
    assert.equal(account.durableBytes, 10);
    await flush(account).succeed();
    assert.deepEqual(described(account), ['0-20 durable']);
  });

  test('is nothing of a change that runs when the flush begins or ends', async () => {
    const account = new ReceivedRanges(rangesMax);
    await receive(account, 0, 30);
    const before = change(account, 0, 10);
    const flushing = flush(account);
    await before.succeed();
    const after = change(account, 20, 30);
    await flushing.succeed();
    assert.deepEqual(described(account), ['0-10 received', '10-20 durable', '20-30 received']);
    await after.succeed();
    assert.deepEqual(described(account), ['0-10 received', '10-20 durable', '20-30 received']);
  });

  test('is received again from the moment in which a change of it begins', async () => {
    const account = new ReceivedRanges(rangesMax);
    await receive(account, 0, 30);
    await flush(account).succeed();
    const running = change(account, 10, 20);
    assert.deepEqual(described(account), ['0-10 durable', '10-20 received', '20-30 durable']);
    assert.equal(account.generation, 1);
    await running.succeed();
    await flush(account).succeed();
    assert.deepEqual(described(account), ['0-30 durable']);
  });

  test('stays when a flush fails, which takes back the rest and begins a generation', async () => {
    const account = new ReceivedRanges(rangesMax);
    await receive(account, 0, 10);
    await flush(account).succeed();
    await receive(account, 10, 20);
    await flush(account).fail();
    assert.deepEqual(described(account), ['0-10 durable']);
    assert.equal(account.generation, 2);
    await flush(account).fail();
    assert.equal(account.generation, 2);
  });

  test('is nothing of a change during which storage forgot, whatever comes of it', async () => {
    const account = new ReceivedRanges(rangesMax);
    const running = change(account, 0, 10);
    account.takeBack();
    assert.equal(account.generation, 2);
    await running.succeed();
    assert.deepEqual(described(account), []);
    await receive(account, 0, 10);
    assert.deepEqual(described(account), ['0-10 received']);
  });
});

describe('the limit of ranges', () => {
  test('first gives up telling zeroes apart, which loses no byte', async () => {
    const account = new ReceivedRanges(16);
    for (let start = 0; start < 340; start += 20) {
      await receive(account, start, start + 10);
      await receive(account, start + 10, start + 20, true);
    }
    assert.equal(account.receivedBytes, 340);
    assert.equal(account.generation, 1);
    assert.ok(whole(account).ranges.length <= 16);
  });

  test('forgets the smallest ranges, in a generation of its own, and never fills a gap', async () => {
    const account = new ReceivedRanges(16);
    const lengths = Array.from({ length: 17 }, (_, index) => (index % 3 === 0 ? 5 : 100));
    for (const [index, length] of lengths.entries())
      await receive(account, index * 200, index * 200 + length);
    // Two of the six small ones stay: as many are forgotten as bring it to seven eighths of the limit.
    assert.equal(whole(account).ranges.length, 14);
    assert.equal(whole(account).ranges.filter(({ lengthBytes }) => lengthBytes === 100).length, 11);
    for (const { offsetBytes, lengthBytes } of whole(account).ranges)
      assert.equal(lengthBytes, lengths[offsetBytes / 200]);
    assert.equal(account.generation, 2);
  });

  test('holds with as many ranges as it allows, of which a flush makes one state', async () => {
    const account = new ReceivedRanges(1000);
    for (let index = 0; index < 3000; index++) await receive(account, index * 10, index * 10 + 5);
    await flush(account).succeed();
    const { ranges, durableBytes, receivedBytes } = whole(account);
    assert.ok(ranges.length <= 1000 && ranges.length >= 875);
    assert.equal(durableBytes, receivedBytes);
    assert.equal(receivedBytes, ranges.length * 5);
  });
});

describe('a page of ranges', () => {
  test('begins where it was asked to, and says where the next one does', async () => {
    const account = new ReceivedRanges(rangesMax);
    for (const start of [0, 20, 40, 60]) await receive(account, start, start + 10);
    const first = account.page({ state: 'received', startBytes: 5, rangesMax: 2 });
    assert.deepEqual(first.ranges.map(describeRange), ['5-10 received', '20-30 received']);
    assert.equal(first.nextBytes, 40);
    const last = account.page({ state: 'received', startBytes: 40, rangesMax: 2 });
    assert.deepEqual(last.ranges.map(describeRange), ['40-50 received', '60-70 received']);
    assert.equal(last.nextBytes, undefined);
    assert.equal(last.receivedBytes, 40);
  });

  test('of durable ranges has no others', async () => {
    const account = new ReceivedRanges(rangesMax);
    await receive(account, 0, 10);
    await flush(account).succeed();
    await receive(account, 10, 20);
    const page = account.page({ state: 'durable', startBytes: 0, rangesMax: 1 });
    assert.deepEqual(page.ranges.map(describeRange), ['0-10 durable']);
    assert.equal(page.nextBytes, undefined);
  });
});

test('an account that goes on from another has what was durable there, in another generation', async () => {
  const account = new ReceivedRanges(rangesMax);
  await receive(account, 0, 10);
  await receive(account, 10, 20, true);
  await flush(account).succeed();
  await receive(account, 30, 40);
  const next = new ReceivedRanges(rangesMax);
  next.restore(account.snapshot());
  assert.deepEqual(described(next), ['0-10 durable', '10-20 durable zero']);
  assert.ok(next.generation > account.generation);
});

/** Says of each byte by itself what an account says of ranges. */
class ByteModel {
  readonly states = new Array<string>(size).fill('');
  readonly lost = new Set<object>();
  generation = 1;

  forget(isForgotten: (index: number) => boolean): void {
    for (const index of this.states.keys()) if (isForgotten(index)) this.states[index] = '';
  }
}

const size = 60;

interface Step {
  readonly kind: 'change' | 'zero' | 'flush' | 'succeed' | 'fail' | 'take back';
  readonly start: number;
  readonly length: number;
  /** Which of what runs. */
  readonly pick: number;
}

interface RunningStep {
  readonly running: Running;
  readonly kind: Step['kind'];
  readonly start: number;
  readonly end: number;
  /** Of a flush: the bytes that have changed since it began. */
  readonly changed: Set<number>;
  isLost: boolean;
}

/** One run of an account beside its model. */
class Comparison {
  readonly account = new ReceivedRanges(rangesMax);
  readonly #model = new ByteModel();
  readonly #running: RunningStep[] = [];

  async apply({ kind, start, length, pick }: Step): Promise<void> {
    const end = Math.min(size, start + length);
    if (kind === 'take back') {
      this.account.takeBack();
      this.#takeBack();
    } else if (kind === 'succeed' || kind === 'fail') {
      const [step] = this.#running.splice(pick % (this.#running.length || 1), 1);
      if (step === undefined) return;
      if (kind === 'succeed') await step.running.succeed();
      else await step.running.fail();
      this.#end(step, kind === 'succeed');
    } else this.#begin(kind, start, end);
  }

  compare(): void {
    const states = new Array<string>(size).fill('');
    for (const { offsetBytes, lengthBytes, state, zero } of whole(this.account).ranges)
      states.fill(`${state}${zero ? ' zero' : ''}`, offsetBytes, offsetBytes + lengthBytes);
    assert.deepEqual(states, this.#model.states);
    assert.equal(this.account.receivedBytes, states.filter((state) => state !== '').length);
    assert.equal(this.account.durableBytes, states.filter((state) => state.startsWith('durable')).length);
    assert.equal(this.account.generation, this.#model.generation);
  }

  #begin(kind: Step['kind'], start: number, end: number): void {
    const { states } = this.#model;
    const isFlush = kind === 'flush';
    // Of one ticket no two changes of the same byte run at once.
    const isTaken = this.#changes().some((other) => other.start < end && start < other.end);
    if (!isFlush && (start >= end || isTaken)) return;
    const changed = new Set<number>();
    if (isFlush) for (const other of this.#changes()) addAll(changed, other);
    else
      for (let index = start; index < end; index++)
        states[index] = states[index]!.replace('durable', 'received');
    const running = isFlush ? flush(this.account) : change(this.account, start, end, kind === 'zero');
    this.#running.push({ running, kind, start, end, changed, isLost: false });
  }

  #end(step: RunningStep, isSuccess: boolean): void {
    const { states } = this.#model;
    const { kind, start, end, changed, isLost } = step;
    if (kind !== 'flush') {
      const isForgotten = !isSuccess || isLost;
      if (isForgotten && states.slice(start, end).some((state) => state !== '')) this.#model.generation++;
      states.fill(isForgotten ? '' : kind === 'zero' ? 'received zero' : 'received', start, end);
      for (const other of this.#running) addAll(other.changed, step);
    } else if (isSuccess) {
      for (const other of this.#changes()) addAll(changed, other);
      for (const index of states.keys())
        if (!changed.has(index)) states[index] = states[index]!.replace('received', 'durable');
    } else this.#takeBack();
  }

  #takeBack(): void {
    const { states } = this.#model;
    if (states.some((state) => state.startsWith('received')) || this.#changes().length > 0)
      this.#model.generation++;
    this.#model.forget((index) => states[index]!.startsWith('received'));
    for (const step of this.#changes()) step.isLost = true;
  }

  #changes(): RunningStep[] {
    return this.#running.filter(({ kind }) => kind !== 'flush');
  }
}

function addAll(
  indices: Set<number>,
  { start, end }: { readonly start: number; readonly end: number },
): void {
  for (let index = start; index < end; index++) indices.add(index);
}

describe('the outline of an account', () => {
  test('tells ranges that touch as one, whatever their states', async () => {
    const account = new ReceivedRanges(rangesMax);
    await receive(account, 0, 10);
    await flush(account).succeed();
    await receive(account, 10, 20, true);
    await receive(account, 20, 30);
    await receive(account, 40, 50);
    assert.deepEqual(account.outline(10), [range(0, 30), range(40, 50)]);
    assert.deepEqual(new ReceivedRanges(rangesMax).outline(10), []);
  });

  test('has the first of them, the last as long as it is', async () => {
    const account = new ReceivedRanges(rangesMax);
    for (const start of [0, 20, 40]) await receive(account, start, start + 10);
    await receive(account, 30, 35, true);
    assert.deepEqual(account.outline(2), [range(0, 10), range(20, 35)]);
  });

  test('says too little of more than can be looked at between two requests', async () => {
    const account = new ReceivedRanges(rangesMax);
    for (let start = 0; start < 5000; start++) await receive(account, start, start + 1, start % 2 === 0);
    assert.deepEqual(account.outline(32), [range(0, 4096)]);
  });
});

test('an account says of each byte what a model says that knows nothing of ranges', async () => {
  const step = fc.record({
    kind: fc.constantFrom<Step['kind'][]>(
      'change',
      'change',
      'zero',
      'flush',
      'succeed',
      'succeed',
      'succeed',
      'fail',
      'take back',
    ),
    start: fc.nat(size - 1),
    length: fc.nat(20),
    pick: fc.nat(20),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const comparison = new Comparison();
      for (const each of steps) {
        await comparison.apply(each);
        comparison.compare();
      }
    }),
    { numRuns: 500 },
  );
});
