import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { KiB } from '../units.js';
import { CoalescingWriter, type BodySink } from './coalescing-writer.js';

/** Looks at what it was given only when it is told to: until then the memory must not change. */
class SlowSink implements BodySink {
  readonly #pending: { data: Uint8Array; written: () => void }[] = [];
  readonly writes: Buffer[] = [];
  ended = false;

  write(data: Uint8Array, written: () => void): boolean {
    assert.equal(this.ended, false);
    this.#pending.push({ data, written });
    return true;
  }

  end(): void {
    this.ended = true;
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
        const writer = new CoalescingWriter(sink, () => {
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

  test('sends what is there at the end of the turn when nothing is being sent', async () => {
    const sink = new SlowSink();
    const writer = new CoalescingWriter(sink, () => undefined);
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
    const writer = new CoalescingWriter(new SlowSink(), () => undefined);
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
    const others = Array.from({ length: 4 }, () => new CoalescingWriter(new SlowSink(), () => undefined));
    const memory = others.map((other) => memoryOf(other.target()));
    for (const other of others) other.stop();
    return memory;
  }

  test('is not given to others while somebody may receive into it', () => {
    const writer = new CoalescingWriter(new SlowSink(), () => undefined);
    const target = writer.target();
    writer.stop();
    assert.ok(!memoryOfOthers().includes(memoryOf(target)));
    assert.equal(writer.target(), undefined);
  });

  test('is not given to others while it is being sent', async () => {
    const writer = new CoalescingWriter(new SlowSink(), () => undefined);
    const memory = memoryOf(writer.target());
    writer.filled(10);
    await nextTurn();
    writer.stop();
    assert.ok(!memoryOfOthers().includes(memory));
  });

  test('is given to others when all was sent', async () => {
    const sink = new SlowSink();
    const writer = new CoalescingWriter(sink, () => undefined);
    const memory = memoryOf(writer.target());
    writer.filled(10);
    await nextTurn();
    sink.complete();
    writer.stop();
    assert.ok(memoryOfOthers().includes(memory));
  });

  test('is small when many others have large', () => {
    const writers = Array.from({ length: 40 }, () => new CoalescingWriter(new SlowSink(), () => undefined));
    const sizes = writers.map((writer) => writer.target()?.length);
    assert.deepEqual(new Set(sizes), new Set([1024 * KiB, 256 * KiB]));
    assert.ok(sizes.filter((size) => size === 1024 * KiB).length <= 16);
    for (const writer of writers) writer.stop();
  });

  test('is large again when the others have gone', () => {
    for (let round = 0; round < 3; round++) {
      const writers = Array.from({ length: 40 }, () => new CoalescingWriter(new SlowSink(), () => undefined));
      assert.equal(writers[0]?.target()?.length, 1024 * KiB);
      for (const writer of writers) {
        writer.target();
        writer.stop();
      }
    }
  });
});
