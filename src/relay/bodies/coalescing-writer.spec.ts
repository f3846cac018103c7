import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { KiB, MiB } from '../../base/units.js';
import type { BodySink } from './body-writer.js';
import { BufferLoan } from '../buffers/buffer-loan.js';
import { CoalescingWriter } from './coalescing-writer.js';
import { RelayBufferPool } from '../buffers/relay-buffer-pool.js';

/** Looks at what it was given only when it is told to: until then the memory must not change. */
class SlowSink implements BodySink {
  readonly #pending: { data: Uint8Array; written: () => void }[] = [];
  readonly writes: Buffer[] = [];
  ended = false;
  onClosed: (() => void) | undefined;

  write(data: Uint8Array, written: () => void): boolean {
    assert.equal(this.ended, false);
    this.#pending.push({ data, written });
    return true;
  }

  end(): void {
    this.ended = true;
  }

  onClose(closed: () => void): void {
    this.onClosed = closed;
  }

  complete(): boolean {
    const next = this.#pending.shift();
    if (next === undefined) return false;
    this.writes.push(Buffer.from(next.data));
    next.written();
    return true;
  }

  get body(): Buffer {
    return Buffer.concat(this.writes);
  }
}

/** A body of which every few bytes are different. */
class Source {
  #position = 0;

  fill(memory: Uint8Array): void {
    for (let index = 0; index < memory.length; index++) memory[index] = this.#next();
  }

  make(lengthBytes: number): Buffer<ArrayBuffer> {
    const chunk = Buffer.alloc(lengthBytes);
    this.fill(chunk);
    return chunk;
  }

  #next(): number {
    const position = this.#position++;
    return (position ^ (position >> 8) ^ (position >> 16)) & 0xff;
  }

  static expected(lengthBytes: number): Buffer {
    return new Source().make(lengthBytes);
  }
}

function poolOf(perTicketBytes: number): RelayBufferPool {
  const totalBytes = 2 * perTicketBytes;
  return new RelayBufferPool({ totalBytes, perTicketBytes, waitSeconds: 10, stallSeconds: 5 });
}

/** Large enough for the writers of all tests here. */
const roomyPool = poolOf(64 * MiB);

/** With buffers of its own, which are back when it was stopped. */
class LoneWriter extends CoalescingWriter {
  constructor(
    sink: SlowSink,
    onRoom: () => void,
    private readonly ownLoan: BufferLoan,
  ) {
    super(sink, ownLoan, onRoom);
  }

  override stop(): void {
    super.stop();
    this.ownLoan.end();
  }
}

function writerTo(sink: SlowSink, pool = roomyPool, onRoom: () => void = () => undefined): LoneWriter {
  return new LoneWriter(sink, onRoom, new BufferLoan(pool, 'ticket'));
}

const step = fc.record({
  kind: fc.constantFrom('write', 'receive', 'complete', 'turn'),
  lengthBytes: fc.integer({ min: 1, max: 700 * KiB }),
});

describe('a writer of gathered pieces', () => {
  test('sends all bytes once and in order, however they come and however slow the sink is', async () => {
    const steps = fc.array(step, { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const sink = new SlowSink();
        const source = new Source();
        let hasRoom = true;
        const writer = writerTo(sink, roomyPool, () => {
          assert.equal(hasRoom, false);
          hasRoom = true;
        });
        let totalBytes = 0;
        let target: Uint8Array | undefined;
        for (const action of plan) {
          if (action.kind === 'complete') sink.complete();
          else if (action.kind === 'turn') await nextTurn();
          else if (action.kind === 'write' || target === undefined) {
            totalBytes += action.lengthBytes;
            hasRoom = writer.write(source.make(action.lengthBytes));
            target = writer.target();
          } else {
            const part = target.subarray(0, action.lengthBytes);
            totalBytes += part.length;
            source.fill(part);
            hasRoom = writer.filled(part.length);
            target = writer.target();
          }
        }
        writer.end();
        while (!sink.ended || sink.complete()) {
          sink.complete();
          await nextTurn();
        }
        assert.equal(hasRoom, true);
        assert.ok(sink.body.equals(Source.expected(totalBytes)));
        writer.stop();
      }),
      { numRuns: 150 },
    );
  });

  test('sends all bytes once and in order beside others that wait for the same few buffers', async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 100 * KiB }), { minLength: 1, maxLength: 12 });
    const plans = fc.array(lengths, { minLength: 2, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(plans, async (bodies) => {
        const pool = poolOf(512 * KiB);
        const runs = bodies.map((plan) => {
          const sink = new SlowSink();
          const source = new Source();
          let totalBytes = 0;
          const rest = [...plan];
          const writer = writerTo(sink, pool, () => {
            next();
          });
          const next = (): void => {
            for (let length = rest.shift(); length !== undefined; length = rest.shift()) {
              totalBytes += length;
              if (!writer.write(source.make(length))) return;
            }
            writer.end();
          };
          next();
          return { sink, writer, total: () => totalBytes };
        });
        while (runs.some(({ sink }) => !sink.ended || sink.complete())) {
          for (const { sink } of runs) sink.complete();
          assert.ok(pool.statistics().bytesInUse <= 512 * KiB);
          await nextTurn();
        }
        for (const { sink, writer, total } of runs) {
          assert.ok(sink.body.equals(Source.expected(total())));
          writer.stop();
        }
        assert.equal(pool.statistics().waiting, 0);
      }),
      { numRuns: 100 },
    );
  });

  test('sends what is there at the end of the turn when nothing is being sent', async () => {
    const sink = new SlowSink();
    const writer = writerTo(sink);
    writer.write(Buffer.from('a'));
    writer.write(Buffer.from('b'));
    await nextTurn();
    writer.write(Buffer.from('c'));
    writer.write(Buffer.from('d'));
    await nextTurn();
    sink.complete();
    sink.complete();
    assert.deepEqual(sink.writes.map(String), ['ab', 'cd']);
    writer.stop();
  });

  test('takes no more than its two buffers before the sink does', () => {
    const writer = writerTo(new SlowSink());
    let takenBytes = 0;
    for (let target = writer.target(); target !== undefined; target = writer.target()) {
      takenBytes += target.length;
      writer.filled(target.length);
    }
    assert.ok(takenBytes <= 2 * 1024 * KiB, `took ${takenBytes}`);
    writer.stop();
  });
});

describe('the memory of a writer that was stopped', () => {
  const memoryOf = (data: Uint8Array | undefined): ArrayBufferLike | undefined => data?.buffer;

  /** The memory that the next writers get. */
  function memoryOfOthers(): (ArrayBufferLike | undefined)[] {
    const others = Array.from({ length: 4 }, () => writerTo(new SlowSink()));
    const memory = others.map((other) => memoryOf(other.target()));
    for (const other of others) other.stop();
    return memory;
  }

  test('is not given to others while somebody may receive into it', () => {
    const writer = writerTo(new SlowSink());
    const target = writer.target();
    writer.stop();
    assert.ok(!memoryOfOthers().includes(memoryOf(target)));
    assert.equal(writer.target(), undefined);
  });

  test('is not given to others while it is being sent', async () => {
    const writer = writerTo(new SlowSink());
    const memory = memoryOf(writer.target());
    writer.filled(10);
    await nextTurn();
    writer.stop();
    assert.ok(!memoryOfOthers().includes(memory));
  });

  test('counts until it was sent, or the connection is closed', async () => {
    const pool = poolOf(MiB);
    const sinks = [new SlowSink(), new SlowSink()] as const;
    const endings = [(): unknown => sinks[0].complete(), (): unknown => sinks[1].onClosed?.()];
    for (const [index, sink] of sinks.entries()) {
      const loan = await pool.lend('ticket', new AbortController().signal);
      const writer = new CoalescingWriter(sink, loan, () => undefined);
      writer.target();
      writer.filled(10);
      await nextTurn();
      writer.stop();
      loan.end();
      assert.equal(pool.statistics().bytesInUse, 256 * KiB);
      endings[index]?.();
      assert.equal(pool.statistics().bytesInUse, 0);
    }
  });

  test('is given to others when all was sent', async () => {
    const sink = new SlowSink();
    const writer = writerTo(sink);
    const memory = memoryOf(writer.target());
    writer.filled(10);
    await nextTurn();
    sink.complete();
    writer.stop();
    assert.ok(memoryOfOthers().includes(memory));
  });

  test('is small when many others have large', () => {
    const writers = Array.from({ length: 40 }, () => writerTo(new SlowSink()));
    const sizes = writers.map((writer) => writer.target()?.length);
    assert.deepEqual(new Set(sizes), new Set([1024 * KiB, 256 * KiB]));
    assert.ok(sizes.filter((size) => size === 1024 * KiB).length <= 16);
    for (const writer of writers) writer.stop();
  });

  test('is large again when the others have gone', () => {
    for (let round = 0; round < 3; round++) {
      const writers = Array.from({ length: 40 }, () => writerTo(new SlowSink()));
      assert.equal(writers[0]?.target()?.length, 1024 * KiB);
      for (const writer of writers) {
        writer.target();
        writer.stop();
      }
    }
  });
});
