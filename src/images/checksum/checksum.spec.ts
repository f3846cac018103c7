import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { StorageError } from '../../base/errors.js';
import { KiB, MiB } from '../../base/units.js';
import type { Backend, Extent } from '../backends/backend.js';
import { createClaimant } from '../../../test/support/claimants.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import { checksumAlgorithms } from './block-hash.js';
import { type ChecksumOptions, computeChecksum } from './checksum.js';
import { HashWorkers } from './hash-workers.js';

const workers = new HashWorkers();

/** 3 MiB of a pattern, 2 MiB of zeroes, and 1 MiB and 12345 bytes of the pattern. */
const image = Buffer.alloc(6 * MiB + 12_345);
fillPattern(image.subarray(0, 3 * MiB));
fillPattern(image.subarray(5 * MiB));

const imageExtents = extentsOf([3 * MiB, 'data'], [2 * MiB, 'zero'], [MiB + 12_345, 'data']);

/**
 * Computed from the same bytes in blocks of 1 MiB with hashlib of Python, the tool that
 * clients verify with.
 */
const expectedChecksums: Readonly<Record<string, string>> = {
  blake2b: 'd7d82cb19df9e6b46b8d272c11754eadb10c4a240ca3bbae684e5dfea3640bc4',
  blake2s: '7386cf474122160a5e5bab9a30c264fe781e37d05b578df9733a221dbbb7ba57',
  md5: '09976fbd1a73e0dc59234b281a58d13a',
  sha1: '20898089a8ea6a1d8c809dc6b400b3e1f07058a5',
  sha224: '92af130600f0b7159d54685f3e8f110c07694974b71a7f7882fd785b',
  sha256: 'b3c37097c339c05c829c76c521295a0e4ef2279ceeabb79177492f4de39b0463',
  sha384: '8c0c0b1ad7b7a46e16c079f670908065ec92241ced1f025b490d6c74c34e8a0ad3747cde03a5152fe804b80a56282431',
  sha512:
    '2dcd9c14a33be569c81825a0eb1da73344e424f9ffd4eea04250ed0559bb1d71' +
    'a4ca6d98f20cc9da7f7153efb67331a8357c53de6d076b4b8df503ed6ae2114b',
  sha512_224: 'c5ed245230daa652ae03c98d04ac3a71d18ce2ea3959ad8f107d247e',
  sha512_256: '1d7147fefb405d7942588e6e1f8408b969378407fb1dca343092dd24404604db',
  sha3_224: '2c99a5b8f653b4d1c3d6342e44e2506e29207a03b9a2993f68a48a4a',
  sha3_256: '697104c8c49ae342e5b16a76efd31e4f11f284485fa3ea84eccdc23b4abcd6f8',
  sha3_384:
    '13b96943a7733c794c09f75be7b6eecc790ac593e6ed7c58f20f3917b5fc9727918ff173ffd6fc34b02ef6b241230fb3',
  sha3_512:
    'eb15993326c6d76827ebd9277c211348e52721079ff844ad77da81a0e3138e21308fbee9a4e447020be' +
    '7105b4c54c9f6fd3d6b5d9d3f471545e39e72af7d7451',
};

function fillPattern(target: Buffer): void {
  for (let index = 0; index < target.length; index += 1) {
    target[index] = index * 131 + (index >> 8) * 17 + (index >> 16) * 29;
  }
}

function extentsOf(...parts: (readonly [number, 'data' | 'zero'])[]): Extent[] {
  let start = 0;
  return parts.map(([length, kind]) => {
    const extent = { start, length, zero: kind === 'zero', hole: false };
    start += length;
    return extent;
  });
}

/** An image in memory that counts how many bytes are read of it. */
class MemoryImage implements Pick<Backend, 'read'> {
  readBytes = 0;

  constructor(
    private readonly content: Buffer,
    private readonly onRead: () => Promise<void> = async () => {},
  ) {}

  readonly read: Backend['read'] = async (buffer, { offsetBytes, lengthBytes }) => {
    await this.onRead();
    const data = this.content.subarray(offsetBytes, offsetBytes + lengthBytes);
    this.readBytes += data.length;
    // Not at the start of the buffer, as a backend of blocks gives it.
    buffer.set(data, 512);
    return buffer.subarray(512, 512 + data.length);
  };
}

function checksum(options: Partial<ChecksumOptions>): Promise<string> {
  return computeChecksum({
    backend: new MemoryImage(image),
    extents: imageExtents,
    algorithm: 'blake2b',
    blockSizeBytes: MiB,
    pool: new BufferPool({ poolBytes: 16 * MiB }),
    workers,
    claimant: createClaimant(),
    ...options,
  });
}

describe('computeChecksum', () => {
  after(() => workers.close());

  it('offers the algorithms sorted, and a known answer is tested for each', () => {
    assert.deepEqual(checksumAlgorithms, Object.keys(expectedChecksums).sort());
  });

  for (const algorithm of checksumAlgorithms) {
    it(`computes ${algorithm} as hashlib does`, async () => {
      assert.equal(await checksum({ algorithm }), expectedChecksums[algorithm]);
    });
  }

  it('depends on the block size', async () => {
    const expected = 'd12783f7d29b59c380f0e756e76daa3e911c94501ad8ef53afc483b3c228dc4a';
    assert.equal(await checksum({ blockSizeBytes: 4 * MiB }), expected);
  });

  it('sums an empty image', async () => {
    const expected = '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8';
    assert.equal(await checksum({ extents: [] }), expected);
  });

  it('reads nothing of blocks that are zero by the extents, whole or the last part', async () => {
    const backend = new MemoryImage(Buffer.alloc(0));
    const extents = extentsOf([10 * MiB + 5, 'zero']);
    const expected = '0363a986dc4f4d9d57b59aba6cb28a8b2b070ba48c096025d07dad8bcacb7897';
    assert.equal(await checksum({ backend, extents, blockSizeBytes: 4 * MiB }), expected);
    assert.equal(backend.readBytes, 0);
  });

  it('does not depend on what the extents say, only reads less for it', async () => {
    const lists = [
      extentsOf([image.length, 'data']),
      imageExtents,
      extentsOf(
        [3 * MiB, 'data'],
        [4096, 'zero'],
        [MiB, 'data'],
        [MiB - 4096, 'zero'],
        [MiB + 12_345, 'data'],
      ),
    ];
    const readBytes = [];
    for (const extents of lists) {
      const backend = new MemoryImage(image);
      assert.equal(await checksum({ backend, extents }), expectedChecksums['blake2b']);
      readBytes.push(backend.readBytes);
    }
    assert.deepEqual(readBytes, [image.length, image.length - 2 * MiB, image.length]);
  });

  it('gives the same with blocks of many pieces, and with a single buffer', async () => {
    for (const pool of [
      new BufferPool({ poolBytes: 2 * MiB, bufferBytes: 100 * KiB }),
      new BufferPool({ poolBytes: 2 * MiB, bufferBytes: MiB }),
    ]) {
      assert.equal(await checksum({ pool }), expectedChecksums['blake2b']);
      assert.equal(pool.statistics().large.inUse, 0);
    }
  });

  it('holds at most four buffers', async () => {
    const pool = new BufferPool({ poolBytes: 16 * MiB, bufferBytes: 256 * KiB });
    await checksum({ pool });
    assert.equal(pool.statistics().large.inUseMax, 4);
  });

  it('holds no buffer for blocks that are zero by their extents', async () => {
    const pool = new BufferPool({ poolBytes: 16 * MiB });
    await checksum({ pool, extents: extentsOf([2 ** 33, 'zero']) });
    assert.equal(pool.statistics().large.inUseMax, 0);
  });

  it('computes several at once on the same threads', async () => {
    const algorithms = ['blake2b', 'sha256', 'blake2s', 'sha1', 'blake2b'];
    const pool = new BufferPool({ poolBytes: 8 * MiB });
    const checksums = await Promise.all(algorithms.map((algorithm) => checksum({ algorithm, pool })));
    assert.deepEqual(
      checksums,
      algorithms.map((algorithm) => expectedChecksums[algorithm]),
    );
  });

  it('tells the progress up to the size of the image', async () => {
    const steps: number[] = [];
    await checksum({ onRun: ({ blockBytes, count }) => steps.push(blockBytes * count) });
    assert.deepEqual(steps, [MiB, MiB, MiB, 2 * MiB, MiB, 12_345]);
  });

  it('lets other work run between the digests of millions of zero blocks', async () => {
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 0);
    await checksum({ extents: extentsOf([2 ** 40, 'zero']) });
    clearInterval(ticking);
    assert.ok(turns > 10, `${turns}`);
  });

  it('stops when it is cancelled, after what was started has ended, and gives all buffers back', async () => {
    const pool = new BufferPool({ poolBytes: 16 * MiB });
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    let running = 0;
    const backend = new MemoryImage(image, async () => {
      running += 1;
      cancel.abort(reason);
      await new Promise(setImmediate);
      running -= 1;
    });
    await assert.rejects(checksum({ backend, pool, signal: cancel.signal }), reason);
    assert.equal(running, 0);
    assert.equal(pool.statistics().large.inUse, 0);
    assert.ok(backend.readBytes <= 4 * MiB);
  });

  it('is cancelled in the middle of a long run of zeroes', async () => {
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    setImmediate(() => {
      cancel.abort(reason);
    });
    await assert.rejects(checksum({ extents: extentsOf([2 ** 42, 'zero']), signal: cancel.signal }), reason);
  });

  it('fails when a read fails, once the others have ended', async () => {
    const pool = new BufferPool({ poolBytes: 16 * MiB });
    let reads = 0;
    const backend = new MemoryImage(image, async () => {
      reads += 1;
      if (reads === 3) {
        throw new StorageError('Reading the image failed');
      }
    });
    await assert.rejects(checksum({ backend, pool }), StorageError);
    assert.equal(pool.statistics().large.inUse, 0);
  });

  it('fails when the image is shorter than its extents', async () => {
    const backend = new MemoryImage(image.subarray(0, MiB + 10));
    await assert.rejects(checksum({ backend }), /became shorter/);
  });

  it('fails when the threads end, and works again with new ones', async () => {
    const pool = new BufferPool({ poolBytes: 16 * MiB });
    const mortal = new HashWorkers(1);
    let ended: Promise<void> | undefined;
    const backend = new MemoryImage(image, async () => {
      ended ??= mortal.close();
      await ended;
    });
    await assert.rejects(checksum({ backend, pool, workers: mortal }), /hash thread/);
    assert.equal(pool.statistics().large.inUse, 0);
    assert.equal(await checksum({ pool, workers: mortal }), expectedChecksums['blake2b']);
    await mortal.close();
  });
});
