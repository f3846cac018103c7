import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, it } from 'node:test';

import fc from 'fast-check';

import { KiB, MiB } from '../../base/units.js';
import { createClaimant } from '../../../test/support/claimants.js';
import { MemoryBackend } from '../../../test/support/memory-backend.js';
import { AlignedMemory } from '../buffers/aligned-memory.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import { blockDigests } from './block-digests.js';
import { BodyDigests } from './body-digests.js';
import { HashWorkers } from './hash-workers.js';
import { KeptDigests } from './kept-digests.js';
import { OperationDigests } from './operation-digests.js';
import { WatchedBackend } from './watched-backend.js';

const hashing = { algorithm: 'sha256', blockSizeBytes: 4 * KiB };
const blocks = 8;
const imageBytes = blocks * hashing.blockSizeBytes - 100;
const workers = new HashWorkers();
const pool = new BufferPool({ poolBytes: 16 * MiB, bufferBytes: 4 * KiB });

/** Storage that takes a few turns for each call, a part of it before and a part after the bytes change. */
class SlowBackend extends MemoryBackend {
  constructor(private readonly turns: () => number) {
    super(Buffer.alloc(imageBytes));
  }

  override async write(source: Uint8Array, offsetBytes: number): Promise<void> {
    const half = source.length >> 1;
    await this.#rest();
    await super.write(source.subarray(0, half), offsetBytes);
    await this.#rest();
    await super.write(source.subarray(half), offsetBytes + half);
    await this.#rest();
  }

  override async zero(range: { offsetBytes: number; lengthBytes: number }): Promise<void> {
    await this.#rest();
    await super.zero(range);
    await this.#rest();
  }

  override async read(buffer: Uint8Array, range: { offsetBytes: number; lengthBytes: number }) {
    await this.#rest();
    const data = await super.read(buffer, range);
    await this.#rest();
    return data;
  }

  async #rest(): Promise<void> {
    for (let left = this.turns(); left > 0; left -= 1) await new Promise(setImmediate);
  }
}

class World {
  readonly kept = new KeptDigests(64);
  readonly backend: SlowBackend;

  constructor(turns: () => number) {
    this.backend = new SlowBackend(turns);
  }

  operation(owner: string): { readonly backend: WatchedBackend; readonly digests: OperationDigests } {
    const image = this.kept.image(this.backend);
    const backend = new WatchedBackend(this.backend, image, owner);
    const { statistics } = this.kept;
    return { backend, digests: new OperationDigests({ owner, image, backend, statistics }) };
  }

  async write(owner: string, offsetBytes: number, lengthBytes: number, value: number): Promise<void> {
    const { backend, digests } = this.operation(owner);
    const body = new BodyDigests({
      ...hashing,
      digests,
      lane: workers.openLane('sha256'),
      endBytes: imageBytes,
    });
    const data = new AlignedMemory(64 * KiB).allocate(64 * KiB).subarray(0, lengthBytes);
    data.fill(value);
    const pieceBytes = 1500;
    const steps: Promise<unknown>[] = [];
    for (let at = 0; at < lengthBytes; at += pieceBytes) {
      const piece = data.subarray(at, at + pieceBytes);
      const written = backend.write(piece, offsetBytes + at).then(() => true);
      steps.push(written, body.add(piece, offsetBytes + at, written));
    }
    await Promise.all(steps);
    await body.settled();
    await body.end();
  }

  async zero(owner: string, offsetBytes: number, lengthBytes: number): Promise<void> {
    await this.operation(owner).backend.zero({ offsetBytes, lengthBytes }, { sparse: true });
  }

  /** @returns the digests of all blocks, in hex */
  async readAll(owner: string, { backend, digests } = this.operation(owner)): Promise<readonly string[]> {
    const found: string[] = [];
    const sequence = blockDigests({
      ...hashing,
      backend,
      digests,
      extents: [{ start: 0, length: imageBytes, zero: false, hole: false }],
      pool,
      workers,
      claimant: createClaimant(),
    });
    for await (const { digest } of sequence) found.push(Buffer.from(digest).toString('hex'));
    return found;
  }

  get truth(): readonly string[] {
    return Array.from({ length: blocks }, (_, index) =>
      createHash('sha256')
        .update(
          this.backend.content.subarray(index * hashing.blockSizeBytes, (index + 1) * hashing.blockSizeBytes),
        )
        .digest('hex'),
    );
  }
}

const part = fc
  .tuple(fc.nat(imageBytes - 1), fc.integer({ min: 1, max: imageBytes }))
  .map(([offset, length]) => ({ offset, length: Math.min(length, imageBytes - offset) }));
const wholeBlocks = fc.tuple(fc.nat(blocks - 1), fc.integer({ min: 1, max: 3 })).map(([block, count]) => {
  const offset = block * hashing.blockSizeBytes;
  return { offset, length: Math.min(count * hashing.blockSizeBytes, imageBytes - offset) };
});
const action = fc.record({
  kind: fc.constantFrom('write', 'write', 'zero', 'read'),
  owner: fc.constantFrom('one ticket', 'another ticket'),
  where: fc.oneof(part, wholeBlocks),
  value: fc.integer({ min: 1, max: 255 }),
});

describe('KeptDigests', () => {
  after(() => workers.close());

  it('never has a wrong digest, whoever writes, zeroes and reads at the same time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(action, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fc.nat(3)),
        async (rounds, turns) => {
          const world = new World(() => turns.next().value as number);
          for (const round of rounds) {
            await Promise.all(
              round.map(({ kind, owner, where: { offset, length }, value }) => {
                if (kind === 'read') return world.readAll(owner);
                if (kind === 'zero') return world.zero(owner, offset, length);
                return world.write(owner, offset, length, value);
              }),
            );
            // Nothing runs now, so each digest that is used without reading has to be true.
            for (const owner of ['one ticket', 'another ticket']) {
              assert.deepEqual(await world.readAll(owner), world.truth);
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('forgets what an operation changes that began before others came and went', async () => {
    const world = new World(() => 0);
    const early = world.operation('one ticket');
    await world.zero('one ticket', 0, 100);
    await world.readAll('another ticket');
    const late = world.operation('another ticket');
    await early.backend.write(Buffer.alloc(100, 7), 0);
    assert.deepEqual(await world.readAll('another ticket', late), world.truth);
  });

  it('forgets an image when nobody has it and nothing of it is kept', () => {
    const kept = new KeptDigests(2);
    const backend = new MemoryBackend(Buffer.alloc(0));
    const image = kept.image(backend);
    const same = kept.image(backend);
    assert.equal(same, image);
    image.release();
    assert.equal(kept.image(backend), image);
    image.release();
    same.release();
    assert.notEqual(kept.image(backend), image);
  });

  it('has nothing read again of what was uploaded in whole blocks, the last one too', async () => {
    const world = new World(() => 0);
    await world.write('one ticket', 0, imageBytes, 7);
    const { truth } = world;
    // Somebody else changes it behind the service's back, which nobody would notice who does not read.
    world.backend.content.fill(9);
    assert.deepEqual(await world.readAll('one ticket'), truth);
    assert.deepEqual(await world.readAll('another ticket'), world.truth);
  });

  it('knows how many bytes were read, and how many need not be', async () => {
    const world = new World(() => 0);
    await world.write('one ticket', 0, imageBytes, 7);
    assert.equal(world.kept.coveredBytes, imageBytes);
    await world.readAll('one ticket');
    assert.deepEqual(world.kept.statistics.bytes, { zero: 0, kept: imageBytes, read: 0 });
    await world.readAll('another ticket');
    assert.deepEqual(world.kept.statistics.bytes, { zero: 0, kept: imageBytes, read: imageBytes });
  });

  it('has all of it read again when storage may be another one', async () => {
    const world = new World(() => 0);
    await world.write('one ticket', 0, imageBytes, 7);
    world.backend.content.fill(9);
    world.backend.incarnation += 1;
    assert.deepEqual(await world.readAll('one ticket'), world.truth);
  });

  it('keeps nothing that was hashed while storage became another one', async () => {
    const world = new World(() => 0);
    const { digests } = world.operation('one ticket');
    const observation = digests.observe({ offsetBytes: 0, lengthBytes: 4 * KiB });
    world.backend.incarnation += 1;
    digests.keep(observation, hashing, new Uint8Array(32));
    assert.equal(world.kept.count, 0);
    assert.equal(digests.holds(observation), false);
  });

  it('remembers what a ticket has uploaded until it changes that itself', async () => {
    const world = new World(() => 0);
    await world.write('one ticket', 0, 3 * hashing.blockSizeBytes, 7);
    await world.write('another ticket', hashing.blockSizeBytes, 10, 8);
    await world.zero('one ticket', 2 * hashing.blockSizeBytes, 10);
    await world.readAll('one ticket');
    const { digests } = world.operation('one ticket');
    assert.deepEqual(
      digests.uploaded(hashing).map(({ offsetBytes }) => offsetBytes),
      [0, hashing.blockSizeBytes],
    );
    const [first, second] = digests.uploaded(hashing);
    assert.deepEqual(first?.digest, second?.digest);
    assert.deepEqual(world.operation('another ticket').digests.uploaded(hashing), []);
  });

  it('forgets what a ticket had, and doubts all of it when storage fails to flush', async () => {
    const world = new World(() => 0);
    await world.write('one ticket', 0, imageBytes, 7);
    await world.write('another ticket', 0, hashing.blockSizeBytes, 8);
    // Of the first one the other has written too: what the ticket has uploaded is remembered.
    assert.equal(world.kept.coveredBytes, imageBytes);
    world.kept.forgetOwner('one ticket');
    assert.equal(world.kept.count, 1);
    world.backend.flush = () => Promise.reject(new Error('EIO'));
    await assert.rejects(world.operation('one ticket').backend.flush());
    assert.equal(world.kept.coveredBytes, 0);
    world.kept.forgetOwner('another ticket');
    assert.equal(world.kept.count, 0);
  });

  it('keeps no more than it may, and the newest', async () => {
    const kept = new KeptDigests(2);
    const image = kept.image(new MemoryBackend(Buffer.alloc(0)));
    for (const offsetBytes of [0, 4096, 8192]) {
      const observation = image.observe({ offsetBytes, lengthBytes: 4096 }, 0);
      image.keep(observation, 0, { owner: 'a ticket', hashing, digest: new Uint8Array(32) });
      observation.end();
    }
    assert.equal(kept.count, 2);
    const series = image.series('a ticket', hashing);
    assert.equal(series?.find({ offsetBytes: 0, lengthBytes: 4096 }, 0), undefined);
    assert.ok(series?.find({ offsetBytes: 8192, lengthBytes: 4096 }, 0));
  });
});
