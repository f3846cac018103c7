import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { DiskExtent, ReadableDisk, WritableDisk } from '#sdk/transfer';
import { MiB } from '../../src/base/units.js';

/** A disk with known content, opened, and a way to look at it past the disk. */
export interface DiskFixture<D extends ReadableDisk> {
  readonly disk: D;
  /** The bytes as somebody outside sees them. */
  readRaw(): Promise<Buffer>;
  /** Closes the disk and removes what is behind it. */
  close(): Promise<void>;
}

export interface DiskConformance {
  /** Sizes are multiples of it; 1 where every size works. */
  readonly sizeMultipleBytes: number;
  /** Extents show holes. Otherwise all may be data. */
  readonly reportsZeroes: boolean;
  readonly skip?: string | false;
}

/** Each call gives up when it takes longer. */
const patience = (): AbortSignal => AbortSignal.timeout(30_000);

const dataBytes = MiB + 70_001;
const sizeBytes = 4 * MiB;

/** Data at both ends, and nothing between them. */
function content(multipleBytes: number): Buffer {
  const whole = Buffer.alloc(sizeBytes + (multipleBytes === 1 ? 77 : 0));
  for (let index = 0; index < dataBytes; index += 1) whole[index] = 1 + (index % 251);
  whole.fill('end', 3 * MiB);
  return whole;
}

/** What every disk does alike that can be read. */
export function describeReadableDisk(
  name: string,
  openFixture: (bytes: Buffer) => Promise<DiskFixture<ReadableDisk>>,
  { sizeMultipleBytes, reportsZeroes, skip = false }: DiskConformance,
): void {
  describe(`${name} as a disk to read`, { skip }, () => {
    const bytes = content(sizeMultipleBytes);
    let fixture: DiskFixture<ReadableDisk>;
    let disk: ReadableDisk;
    beforeEach(async () => {
      fixture = await openFixture(bytes);
      ({ disk } = fixture);
    });
    afterEach(() => fixture.close());

    test('tells its size', () => {
      assert.equal(disk.sizeBytes, bytes.length);
    });

    test('reads any range, several at once', async () => {
      const ranges = [
        [0, 1],
        [4095, 2],
        [100, 300_000],
        [dataBytes - 5, 4106],
        [bytes.length - 3, 3],
      ] as const;
      await Promise.all(
        ranges.map(async ([offsetBytes, lengthBytes]) => {
          const target = new Uint8Array(lengthBytes);
          await disk.read(target, offsetBytes, patience());
          assert.ok(bytes.subarray(offsetBytes, offsetBytes + lengthBytes).equals(target));
        }),
      );
    });

    test('fills the target and nothing around it', async () => {
      const memory = new Uint8Array(3000).fill(255);
      await disk.read(memory.subarray(1000, 2000), 500, patience());
      assert.ok(bytes.subarray(500, 1500).equals(memory.subarray(1000, 2000)));
      assert.ok(memory.subarray(0, 1000).every((byte) => byte === 255));
      assert.ok(memory.subarray(2000).every((byte) => byte === 255));
    });

    test('fails to read past its end', async () => {
      await assert.rejects(disk.read(new Uint8Array(10), bytes.length - 5, patience()));
    });

    test('tells what has data, in order and without gaps, as often as it is asked', async () => {
      for (let times = 0; times < 2; times += 1) {
        const extents = await extentsOf(disk);
        let endBytes = 0;
        for (const { offsetBytes, lengthBytes, zero } of extents) {
          assert.equal(offsetBytes, endBytes);
          assert.ok(lengthBytes > 0);
          endBytes += lengthBytes;
          if (zero) assert.ok(bytes.subarray(offsetBytes, endBytes).every((byte) => byte === 0));
        }
        assert.equal(endBytes, bytes.length);
        assert.equal(
          extents.some(({ zero }) => zero),
          reportsZeroes,
        );
      }
    });

    test('can be closed twice', async () => {
      await disk.close();
      await disk.close();
    });
  });
}

/** What every disk does alike that can be written at any place. */
export function describeWritableDisk(
  name: string,
  openFixture: (bytes: Buffer) => Promise<DiskFixture<WritableDisk>>,
  options: DiskConformance,
): void {
  describeReadableDisk(name, openFixture, options);
  describe(`${name} as a disk to write`, { skip: options.skip ?? false }, () => {
    const bytes = content(options.sizeMultipleBytes);
    let fixture: DiskFixture<WritableDisk>;
    let disk: WritableDisk;
    beforeEach(async () => {
      fixture = await openFixture(bytes);
      ({ disk } = fixture);
    });
    afterEach(() => fixture.close());

    test('writes any range, several at once, and nothing else', async () => {
      const expected = Buffer.from(bytes);
      const ranges = [
        [1, 1],
        [4090, 20],
        [MiB - 7, 300_000],
        [bytes.length - 3, 3],
      ] as const;
      await Promise.all(
        ranges.map(async ([offsetBytes, lengthBytes]) => {
          const data = Buffer.alloc(lengthBytes, `at ${offsetBytes}`);
          data.copy(expected, offsetBytes);
          await disk.write(data, offsetBytes, patience());
        }),
      );
      await disk.flush(patience());
      assert.ok(expected.equals(await fixture.readRaw()));
    });

    test('makes ranges zero that may be all of it', async () => {
      const expected = Buffer.from(bytes).fill(0, 5000, 400_000);
      await disk.zero({ offsetBytes: 5000, lengthBytes: 395_000 }, patience());
      await disk.flush(patience());
      assert.ok(expected.equals(await fixture.readRaw()));
      await disk.zero({ offsetBytes: 0, lengthBytes: bytes.length }, patience());
      await disk.flush(patience());
      assert.ok(expected.fill(0).equals(await fixture.readRaw()));
    });

    test('reads what was written, and shows no data as zeroes', async () => {
      await disk.write(Buffer.alloc(8192, 'new'), 2 * MiB, patience());
      const target = new Uint8Array(8192);
      await disk.read(target, 2 * MiB, patience());
      assert.ok(Buffer.alloc(8192, 'new').equals(target));
      await disk.flush(patience());
      const written = (await extentsOf(disk)).find(
        ({ offsetBytes, lengthBytes }) => offsetBytes + lengthBytes > 2 * MiB,
      );
      assert.equal(written?.zero, false);
    });

    test('knows what is on stable storage, if it keeps account', async () => {
      await disk.write(Buffer.alloc(8192, 'new'), 2 * MiB, patience());
      await disk.flush(patience());
      const known = await disk.durable(patience());
      if (known !== undefined)
        assert.deepEqual([...known.ranges], [{ offsetBytes: 2 * MiB, lengthBytes: 8192 }]);
    });

    test('has nothing against a transfer of its size, and says what it has against another', async () => {
      const { findings = [] } =
        (await disk.preflight?.({ op: 'write', sizeBytes: bytes.length }, patience())) ?? {};
      assert.ok(findings.every(({ severity }) => severity !== 'error'));
      if (disk.preflight === undefined || disk.growable) return;
      const larger = await disk.preflight({ op: 'write', sizeBytes: bytes.length + 512 }, patience());
      assert.deepEqual(
        larger?.findings.map(({ code, severity }) => [code, severity]),
        [['size_exceeds_image', 'error']],
      );
    });
  });
}

async function extentsOf(disk: ReadableDisk): Promise<DiskExtent[]> {
  const extents: DiskExtent[] = [];
  for await (const extent of disk.extents(patience())) extents.push(extent);
  return extents;
}
