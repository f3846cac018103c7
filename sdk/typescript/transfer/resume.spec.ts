import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ByteRange } from './byte-ranges.js';
import type { BlockDigest, HashingDisk, WritableDisk } from './disk.js';
import { sha256, toHex } from './hashing.js';
import { rangesThere, type Resumption } from './resume.js';

const blockBytes = 4;
const block = (index: number): ByteRange => ({ offsetBytes: index * blockBytes, lengthBytes: blockBytes });

/** Has its bytes in memory. */
function diskOf(text: string): WritableDisk {
  const bytes = new TextEncoder().encode(text);
  return {
    sizeBytes: bytes.length,
    growable: false,
    async *extents() {
      yield { offsetBytes: 0, lengthBytes: bytes.length, zero: false };
    },
    async read(target, offsetBytes) {
      target.set(bytes.subarray(offsetBytes, offsetBytes + target.length));
    },
    async write() {},
    async zero() {},
    async flush() {},
    async durable() {
      return undefined;
    },
    async close() {},
  };
}

function hashingDiskOf(text: string): WritableDisk & HashingDisk {
  const disk = diskOf(text);
  async function* digests(): AsyncGenerator<BlockDigest> {
    for (let index = 0; index * blockBytes < disk.sizeBytes; index += 1) {
      const data = new Uint8Array(blockBytes);
      await disk.read(data, index * blockBytes, new AbortController().signal);
      yield { ...block(index), digest: toHex(await sha256.digest(data)) };
    }
  }
  return { ...disk, digests: async () => digests(), checksum: async () => undefined };
}

async function there(changes: Partial<Resumption>, durable: ByteRange[] = [block(0)]): Promise<ByteRange[]> {
  const source = diskOf('aaaabbbbcccc');
  const ranges = await rangesThere({
    state: {
      version: 1,
      sizeBytes: source.sizeBytes,
      sourceIdentity: 'source',
      targetIdentity: 'target',
      ownsAccount: true,
      durable,
    },
    known: undefined,
    source,
    target: diskOf('aaaaxxxxcccc'),
    sourceIdentity: 'source',
    targetIdentity: 'target',
    hasher: sha256,
    blockBytes,
    signal: new AbortController().signal,
    ...changes,
  });
  return [...ranges];
}

describe('what a run before has left', () => {
  test('is what the target says, as long as that has all that was flushed', async () => {
    const known = { ranges: [block(0), block(2)], receivedBytes: 8, generation: 1 };
    assert.deepEqual(await there({ known }), [block(0), block(2)]);
  });

  test('is what was flushed where the target cannot tell', async () => {
    assert.deepEqual(await there({}), [block(0)]);
    const lost = { ranges: [block(2)], receivedBytes: 4, generation: 1 };
    assert.deepEqual(await there({ known: lost }), [block(0)]);
  });

  test('is found by digests where the target has lost its account, or is another one', async () => {
    const target = hashingDiskOf('aaaaxxxxcccc');
    const lost = { ranges: [], receivedBytes: 0, generation: 1 };
    assert.deepEqual(await there({ target, known: lost }), [block(0), block(2)]);
    assert.deepEqual(await there({ target, targetIdentity: 'another' }), [block(0), block(2)]);
  });

  test('is nothing at another target that cannot be compared', async () => {
    assert.deepEqual(await there({ targetIdentity: 'another' }), []);
  });

  test('does not count when the source is another one, unless that can be compared', async () => {
    await assert.rejects(there({ sourceIdentity: 'another' }), /has changed/);
    await assert.rejects(there({ source: diskOf('aaaabbbb') }), /has changed/);
    const source = hashingDiskOf('aaaabbbbcccc');
    assert.deepEqual(await there({ source, sourceIdentity: 'another' }), [block(0), block(2)]);
  });

  test('is compared without reading zeroes that the source knows of', async () => {
    const source: WritableDisk = {
      ...diskOf('aaaabbbb\0\0\0\0'),
      async *extents() {
        yield { ...block(0), zero: false };
        yield { offsetBytes: blockBytes, lengthBytes: 2 * blockBytes, zero: true };
      },
      async read(target, offsetBytes) {
        assert.equal(offsetBytes, 0);
        target.set(new TextEncoder().encode('aaaa'));
      },
    };
    const target = hashingDiskOf('aaaabbbb\0\0\0\0');
    assert.deepEqual(await there({ source, target, targetIdentity: 'another' }), [block(0), block(2)]);
  });

  test('is compared as far as both disks reach', async () => {
    const target = { ...hashingDiskOf('aaaabbbb'), growable: true };
    const both = { offsetBytes: 0, lengthBytes: 2 * blockBytes };
    assert.deepEqual(await there({ target, targetIdentity: 'another' }), [both]);
    const empty = { ...hashingDiskOf(''), growable: true };
    assert.deepEqual(await there({ target: empty, targetIdentity: 'another' }), []);
  });
});
