import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, it } from 'node:test';

import { MiB } from '../../base/units.js';
import { createClaimant } from '../../../test/support/claimants.js';
import { MemoryBackend } from '../../../test/support/memory-backend.js';
import type { Extent } from '../backends/backend.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import { blockDigests, type BlockDigestsOptions, type DigestRun } from './block-digests.js';
import { HashWorkers } from './hash-workers.js';

const workers = new HashWorkers();
const blocks = 200;
const content = Buffer.alloc(blocks * MiB);
for (let block = 0; block < blocks; block += 1) content.fill(`block ${block}`, block * MiB, block * MiB + 64);

const data = (length: number): Extent => ({ start: 0, length, zero: false, hole: false });

function digests(options: Partial<BlockDigestsOptions>): AsyncGenerator<DigestRun> {
  return blockDigests({
    backend: new MemoryBackend(content),
    extents: [data(content.length)],
    algorithm: 'sha256',
    blockSizeBytes: MiB,
    pool: new BufferPool({ poolBytes: 16 * MiB }),
    workers,
    claimant: createClaimant(),
    ...options,
  });
}

describe('blockDigests', () => {
  after(() => workers.close());

  it('gives the digest of each block in order', async () => {
    let block = 0;
    for await (const { offsetBytes, count, digest } of digests({})) {
      assert.equal(offsetBytes, block * MiB);
      assert.equal(count, 1);
      const expected = createHash('sha256').update(content.subarray(offsetBytes, offsetBytes + MiB));
      assert.equal(Buffer.from(digest).toString('hex'), expected.digest('hex'));
      block += 1;
    }
    assert.equal(block, blocks);
  });

  it('gives what it knows although the extents that follow are not known yet', async () => {
    const more = Promise.withResolvers<undefined>();
    async function* slowExtents(): AsyncGenerator<Extent> {
      yield data(2 * MiB);
      await more.promise;
      yield { ...data(MiB), start: 2 * MiB };
    }
    const sequence = digests({ extents: slowExtents() });
    await sequence.next();
    await sequence.next();
    more.resolve(undefined);
    assert.equal((await sequence.next()).done, false);
    assert.equal((await sequence.next()).done, true);
  });

  it('stops computing while nobody takes any, and holds no buffer then', async () => {
    let reads = 0;
    const backend = new MemoryBackend(content);
    const pool = new BufferPool({ poolBytes: 16 * MiB });
    const sequence = digests({
      pool,
      backend: {
        read: (buffer, range) => {
          reads += 1;
          return backend.read(buffer, range);
        },
      },
    });
    await sequence.next();
    let seen = -1;
    while (seen < reads) {
      seen = reads;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(reads < blocks / 2, `${reads} reads`);
    await sequence.return(undefined);
    assert.equal(pool.statistics().large.inUse, 0);
  });

  it('gives the digests before the block that cannot be read, then fails', async () => {
    const backend = new MemoryBackend(content.subarray(0, 3 * MiB));
    const sequence = digests({ backend });
    for (let block = 0; block < 3; block += 1) assert.equal((await sequence.next()).done, false);
    await assert.rejects(sequence.next(), /became shorter/);
  });
});
