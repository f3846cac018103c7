import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';

import fc from 'fast-check';

import { StorageError } from '../../base/errors.js';
import { MiB } from '../../base/units.js';
import type { ByteRange } from '../../base/units.js';
import type { Backend, Extent } from './backend.js';
import { BufferPool } from '../buffers/buffer-pool.js';

/** An image with known content, opened, and a way to look at it past the backend. */
export interface BackendFixture {
  readonly backend: Backend;
  /** The same image opened again, as a second connection does. The fixture closes it. */
  reopen(): Promise<Backend>;
  /** The image's bytes as somebody outside sees them. */
  readRaw(): Promise<Buffer>;
  /** Closes all backends and removes the image. */
  close(): Promise<void>;
}

export interface ConformanceOptions {
  /** The sizes of images are multiples of this many bytes; 1 where every size works. */
  readonly sizeMultipleBytes: number;
  /** Writes past the end make the image larger. */
  readonly growable: boolean;
  /** Extents show what was deallocated as zero. Otherwise one data extent is right. */
  readonly reportsZeroExtents: boolean;
  /** Why these tests can't run here. */
  readonly skip?: string | undefined;
}

const pool = new BufferPool({ poolBytes: 16 * MiB });

/** What every backend does alike, whatever its storage. */
export function describeBackend(
  name: string,
  openFixture: (content: Buffer) => Promise<BackendFixture>,
  options: ConformanceOptions,
): void {
  describe(`${name} as a backend`, { skip: options.skip ?? false }, () => {
    let fixture: BackendFixture;
    let backend: Backend;
    let content: Buffer;

    beforeEach(async () => {
      content = pattern('image', roundUp(70_001, options.sizeMultipleBytes));
      fixture = await openFixture(content);
      backend = fixture.backend;
    });
    afterEach(() => fixture.close());

    it('tells the size of the image, and whether it can grow', async () => {
      assert.equal(await backend.sizeBytes(), content.length);
      assert.equal(backend.growable, options.growable);
    });

    it('tells of no room that is less than nothing, and of blocks that are at least one byte', async () => {
      const { allocatedBytes = 0, freeBytes = 0 } = await backend.room();
      assert.ok(Number.isSafeInteger(allocatedBytes) && allocatedBytes >= 0);
      assert.ok(Number.isSafeInteger(freeBytes) && freeBytes >= 0);
      assert.ok(backend.blockSizeBytes >= 1);
    });

    for (const [offsetBytes, lengthBytes] of [
      [0, 4096],
      [8192, 16_384],
      [512, 512],
      [1, 1],
      [4095, 2],
      [100, 50_000],
      [8192, 0],
      [4097, 0],
    ] as const) {
      it(`reads ${lengthBytes} bytes at ${offsetBytes}`, async () => {
        const expected = content.subarray(offsetBytes, offsetBytes + lengthBytes);
        assertEqualBytes(await read(backend, offsetBytes, lengthBytes), expected);
      });

      it(`writes ${lengthBytes} bytes at ${offsetBytes} and no neighbour`, async () => {
        const source = pattern('written', lengthBytes);
        await backend.write(source, offsetBytes);
        source.copy(content, offsetBytes);
        assertEqualBytes(await fixture.readRaw(), content);
      });

      for (const sparse of [true, false]) {
        const how = sparse ? 'sparse' : 'allocated';
        it(`zeroes ${lengthBytes} bytes at ${offsetBytes}, ${how}, and no neighbour`, async () => {
          await backend.zero({ offsetBytes, lengthBytes }, { sparse });
          content.fill(0, offsetBytes, offsetBytes + lengthBytes);
          assertEqualBytes(await fixture.readRaw(), content);
        });
      }
    }

    it('reads less than asked only where the image ends', async () => {
      assertEqualBytes(await read(backend, content.length - 1000, 1000), content.subarray(-1000));
      assertEqualBytes(await read(backend, 0, content.length), content);
    });

    it('writes from memory of any alignment', async () => {
      for (const misalignmentBytes of [0, 1, 512, 4095]) {
        const source = new Uint8Array(30_000).subarray(misalignmentBytes);
        pattern(`misaligned by ${misalignmentBytes}`, source.length).copy(source);
        await backend.write(source, 8192 + misalignmentBytes * 7);
        content.set(source, 8192 + misalignmentBytes * 7);
        assertEqualBytes(await fixture.readRaw(), content);
      }
    });

    it('reads back what another connection has written', async () => {
      const other = await fixture.reopen();
      await read(backend, 0, 10_000);
      await other.write(pattern('other', 5000), 1234);
      assertEqualBytes(await read(backend, 1234, 5000), pattern('other', 5000));
    });

    it('keeps every byte of concurrent writes to parts of one block over two connections', async () => {
      const connections = [backend, await fixture.reopen()];
      for (let round = 0; round < 5; round += 1) {
        const source = pattern(`round ${round}`, 20 * 301);
        const writes = Array.from({ length: 20 }, (_, index) =>
          connections[index % 2]!.write(source.subarray(index * 301, (index + 1) * 301), 5000 + index * 301),
        );
        await Promise.all(writes);
        source.copy(content, 5000);
        assertEqualBytes(await fixture.readRaw(), content);
      }
    });

    it('keeps a whole block written while a neighbour is read, changed and written back', async () => {
      const other = await fixture.reopen();
      for (let round = 0; round < 10; round += 1) {
        const blocks = pattern(`blocks ${round}`, 8192);
        const edge = pattern(`edge ${round}`, 100);
        // The two overlap, so either order of the overlapped bytes is right; the others
        // belong to one writer alone.
        await Promise.all([backend.write(edge, 8192 + 4000), other.write(blocks, 8192)]);
        blocks.copy(content, 8192);
        const raw = await fixture.readRaw();
        raw.copy(content, 8192 + 4000, 8192 + 4000, 8192 + 4100);
        assertEqualBytes(raw, content);
        assert.ok(
          [edge, blocks.subarray(4000, 4100)].some((one) => one.equals(raw.subarray(12_192, 12_292))),
          'the overlapped bytes are from one of the two writes',
        );
      }
    });

    it('flushes with nothing written, and after writing', async () => {
      await backend.flush();
      await backend.write(pattern('flushed', 100), 10);
      await backend.flush();
      pattern('flushed', 100).copy(content, 10);
      assertEqualBytes(await fixture.readRaw(), content);
    });

    it('lists extents that cover the image in order, merged, zero only where it reads so', async () => {
      // Where storage keeps units of up to 32 KiB, this is one.
      await backend.zero({ offsetBytes: 32_768, lengthBytes: 32_768 }, { sparse: true });
      await backend.flush();
      const extents = await listExtents(backend);
      assertCovering(extents, content.length);
      const raw = await fixture.readRaw();
      for (const { start, length, zero } of extents) {
        assert.ok(!zero || raw.subarray(start, start + length).every((byte) => byte === 0));
      }
      const zeroBytes = extents.reduce((sum, { zero, length }) => sum + (zero ? length : 0), 0);
      assert.equal(zeroBytes, options.reportsZeroExtents ? 32_768 : 0);
    });

    it('lists extents of a part, as those of the whole are there', async () => {
      await backend.zero({ offsetBytes: 32_768, lengthBytes: 32_768 }, { sparse: true });
      await backend.flush();
      const whole = await listExtents(backend);
      for (const [start, end] of [
        [0, 1],
        [32_767, 32_769],
        [40_000, content.length],
        [1000, content.length + 4096],
        [content.length, content.length + 1],
        [5, 5],
      ] as const) {
        const expected = whole.flatMap((extent) => {
          const cutStart = Math.max(extent.start, start);
          const length = Math.min(extent.start + extent.length, end) - cutStart;
          return length > 0 ? [{ ...extent, start: cutStart, length }] : [];
        });
        const part = { offsetBytes: start, lengthBytes: end - start };
        assert.deepEqual(await listExtents(backend, part), expected);
      }
    });

    it('agrees with a model over any sequence of operations on two connections', async () => {
      await fixture.close();
      await fc.assert(
        fc.asyncProperty(sequence(options.sizeMultipleBytes), async ({ sizeBytes, operations }) => {
          let model = pattern('model', sizeBytes);
          fixture = await openFixture(model);
          try {
            const connections = [fixture.backend, await fixture.reopen()] as const;
            for (const operation of operations) {
              model = await applyToBoth(model, connections[operation.connection], operation);
            }
            assert.equal(await connections[1].sizeBytes(), model.length);
            assertCovering(await listExtents(connections[0]), model.length);
            assertEqualBytes(await read(connections[0], 0, model.length), model);
            assertEqualBytes(await fixture.readRaw(), model);
          } finally {
            await fixture.close();
          }
        }),
        { numRuns: 40 },
      );
      fixture = await openFixture(content);
    });

    if (options.growable) describeGrowth(() => ({ fixture, content }));

    it('makes nothing larger by writing or zeroing nothing past the end', async () => {
      const offsetBytes = content.length + 5000;
      await backend.write(Buffer.alloc(0), offsetBytes);
      await backend.zero({ offsetBytes, lengthBytes: 0 }, { sparse: true });
      await backend.zero({ offsetBytes, lengthBytes: 0 }, { sparse: false });
      assertEqualBytes(await fixture.readRaw(), content);
    });

    it('ends what is in flight before it closes, closes once, and refuses more', async () => {
      const writing = backend.write(pattern('last', 30_000), 7);
      await Promise.all([backend.close(), backend.close()]);
      await writing;
      pattern('last', 30_000).copy(content, 7);
      assertEqualBytes(await fixture.readRaw(), content);
      await assert.rejects(backend.write(Buffer.alloc(1), 0), StorageError);
      await assert.rejects(read(backend, 0, 1), StorageError);
    });
  });
}

/** What is asked of images that can grow: see "The exact size" in `file/file-backend.ts`. */
function describeGrowth(current: () => { readonly fixture: BackendFixture; readonly content: Buffer }): void {
  it('extends the image exactly as far as it is written', async () => {
    const { fixture, content } = current();
    const source = pattern('grown', 10_001);
    await fixture.backend.write(source, content.length - 1);
    const grown = Buffer.concat([content.subarray(0, -1), source]);
    assert.equal(await fixture.backend.sizeBytes(), grown.length);
    assertEqualBytes(await fixture.readRaw(), grown);
  });

  it('loses nothing when connections extend the image concurrently', async () => {
    const { fixture, content } = current();
    const connections = [fixture.backend, await fixture.reopen()];
    let expected = content;
    for (let round = 0; round < 10; round += 1) {
      // Whole blocks, parts of blocks and zeroes, all past the end, started from the last to the first.
      const added = pattern(`added ${round}`, 40_000 + round);
      const cuts = [0, 1, 700, 4096, 9000, 12_288, 20_480, 20_481, 33_000, added.length];
      added.fill(0, 9000, 12_288);
      const parts = cuts.slice(1).map((end, index) => ({ start: cuts[index]!, end }));
      await Promise.all(
        parts.reverse().map(({ start, end }, index) => {
          const connection = connections[index % 2]!;
          const offsetBytes = expected.length + start;
          return start === 9000
            ? connection.zero({ offsetBytes, lengthBytes: end - start }, { sparse: round % 2 === 0 })
            : connection.write(added.subarray(start, end), offsetBytes);
        }),
      );
      expected = Buffer.concat([expected, added]);
      assertEqualBytes(await fixture.readRaw(), expected);
    }
  });

  it('loses nothing when connections extend the image apart, nor shows a size past the writes', async () => {
    const { fixture, content } = current();
    const connections = [fixture.backend, await fixture.reopen()];
    let expected = content;
    for (let round = 0; round < 10; round += 1) {
      const parts = Array.from({ length: 6 }, (_, index) => ({
        offsetBytes: roundUp(expected.length, 4096) + index * 12_288 + (index % 2) * 3,
        // Every second part ends with a whole block.
        source: pattern(`part ${round} ${index}`, index % 2 === 0 ? 4096 : 5000 + index),
      }));
      let writing = parts.length;
      const writes = parts.map(async ({ offsetBytes, source }, index) => {
        try {
          await connections[index % 2]!.write(source, offsetBytes);
        } finally {
          writing -= 1;
        }
      });
      const sizes: number[] = [];
      while (writing > 0) {
        sizes.push(await fixture.backend.sizeBytes());
      }
      await Promise.all(writes);
      for (const size of sizes) {
        // In the middle of a part is right too: a write may be done piece by piece.
        const written = parts.some(
          ({ offsetBytes, source }) => size >= offsetBytes && size <= offsetBytes + source.length,
        );
        assert.ok(written || size === expected.length, `${size} is past what was written`);
      }
      const grown = Buffer.alloc(
        Math.max(...parts.map(({ offsetBytes, source }) => offsetBytes + source.length)),
      );
      expected.copy(grown);
      for (const { offsetBytes, source } of parts) {
        source.copy(grown, offsetBytes);
      }
      expected = grown;
      assertEqualBytes(await fixture.readRaw(), expected);
    }
  });

  it('extends the image by zeroing past its end', async () => {
    const { fixture, content } = current();
    let expected = content;
    for (const sparse of [true, false]) {
      const offsetBytes = expected.length - 500;
      await fixture.backend.zero({ offsetBytes, lengthBytes: 6001 }, { sparse });
      expected = Buffer.concat([expected.subarray(0, -500), Buffer.alloc(6001)]);
      assertEqualBytes(await fixture.readRaw(), expected);
    }
  });
}

interface ModelOperation {
  readonly kind: 'read' | 'write' | 'zero sparse' | 'zero allocated' | 'flush';
  readonly connection: 0 | 1;
  readonly startBytes: number;
  readonly lengthBytes: number;
}

/** Images of a few blocks, and operations whose ends are often at or beside the ends of blocks. */
function sequence(
  sizeMultipleBytes: number,
): fc.Arbitrary<{ sizeBytes: number; operations: ModelOperation[] }> {
  const sizeMax = roundUp(40_000, sizeMultipleBytes);
  const position = fc.oneof(
    fc.nat(sizeMax),
    fc
      .tuple(fc.nat(8), fc.integer({ min: -1, max: 1 }))
      .map(([block, step]) => Math.max(0, block * 4096 + step)),
    fc.nat(70).map((block) => block * 512),
  );
  return fc.record({
    sizeBytes: position.map((size) => roundUp(size, sizeMultipleBytes)),
    operations: fc.array(
      fc.record({
        kind: fc.constantFrom<ModelOperation['kind'][]>(
          'read',
          'write',
          'zero sparse',
          'zero allocated',
          'flush',
        ),
        connection: fc.constantFrom<(0 | 1)[]>(0, 1),
        startBytes: position,
        lengthBytes: position,
      }),
      { maxLength: 12 },
    ),
  });
}

async function applyToBoth(model: Buffer, backend: Backend, operation: ModelOperation): Promise<Buffer> {
  const limitBytes = backend.growable && operation.kind !== 'read' ? Infinity : model.length;
  const start = Math.min(operation.startBytes, limitBytes);
  const end = Math.min(start + operation.lengthBytes, limitBytes);
  const range = { offsetBytes: start, lengthBytes: end - start };
  if (operation.kind === 'read') {
    assertEqualBytes(await read(backend, start, end - start), model.subarray(start, end));
    return model;
  }
  if (operation.kind === 'flush') {
    await backend.flush();
    return model;
  }
  const isWrite = operation.kind === 'write';
  const source = isWrite ? pattern(`${start} ${end}`, end - start) : Buffer.alloc(end - start);
  if (isWrite) {
    await backend.write(source, start);
  } else {
    await backend.zero(range, { sparse: operation.kind === 'zero sparse' });
  }
  // Writing nothing past the end makes nothing larger.
  const changed = source.length === 0 ? Buffer.from(model) : Buffer.alloc(Math.max(model.length, end));
  model.copy(changed);
  source.copy(changed, start);
  return changed;
}

async function read(backend: Backend, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
  const buffer = await pool.acquire({ size: 'large', claimant: { imageUrl: '' } });
  try {
    return Buffer.from(await backend.read(buffer, { offsetBytes, lengthBytes }));
  } finally {
    pool.release(buffer);
  }
}

export async function listExtents(backend: Backend, part?: ByteRange): Promise<Extent[]> {
  const extents: Extent[] = [];
  for await (const list of backend.extents('zero', part)) {
    // Plain objects, whatever a backend has made.
    extents.push(...list.map((extent) => ({ ...extent })));
  }
  return extents;
}

function assertCovering(extents: readonly Extent[], sizeBytes: number): void {
  let position = 0;
  let previous: Extent | undefined;
  for (const extent of extents) {
    assert.equal(extent.start, position);
    assert.ok(extent.length > 0);
    assert.ok(
      previous?.zero !== extent.zero || previous.hole !== extent.hole,
      'neighbours that are alike are merged',
    );
    position += extent.length;
    previous = extent;
  }
  assert.equal(position, sizeBytes);
}

/** Compares without printing a difference of thousands of lines. */
function assertEqualBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length, 'lengths differ');
  const position = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.equal(position, -1, `byte ${position} differs`);
}

/** Bytes that look random, never run alike over a block, and are the same each time for one seed. */
function pattern(seed: string, lengthBytes: number): Buffer {
  return createHash('shake256', { outputLength: Math.max(lengthBytes, 1) })
    .update(seed)
    .digest()
    .subarray(0, lengthBytes);
}

function roundUp(sizeBytes: number, multipleBytes: number): number {
  return Math.ceil(sizeBytes / multipleBytes) * multipleBytes;
}
