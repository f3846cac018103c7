import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { BlockDigests } from './block-digests.js';
import type { ByteRange } from './byte-ranges.js';
import type { BlockDigest, HashingDisk } from './disk.js';
import { blocksMin, EarlyVerification } from './early-verification.js';
import { TransferError } from './failure.js';
import { sha256, toHex } from './hashing.js';

const blockBytes = 4;
const blocks = (first: number, count: number): ByteRange => ({
  offsetBytes: first * blockBytes,
  lengthBytes: count * blockBytes,
});
const sourceBytes = Uint8Array.from({ length: 4 * blocksMin * blockBytes }, (_, index) => index);

/** A target with its bytes in memory, and what becomes of each request for digests. */
class Target {
  readonly bytes = sourceBytes.slice();
  readonly asked: ByteRange[] = [];
  /** Before a block is hashed. */
  beforeBlock: (index: number) => Promise<void> = async () => undefined;
  answer: 'digests' | 'nothing' | Error = 'digests';
  /** As the last flush left them. */
  #stable = new Uint8Array(sourceBytes.length);

  readonly flush = async (): Promise<void> => {
    this.#stable = this.bytes.slice();
  };

  get disk(): HashingDisk {
    return {
      sizeBytes: this.bytes.length,
      async *extents() {},
      async read() {},
      close: async () => undefined,
      checksum: async () => undefined,
      digests: async (_algorithm, _blockBytes, range) => {
        this.asked.push(range);
        if (this.answer instanceof Error) throw this.answer;
        return this.answer === 'nothing' ? undefined : this.#digests(range);
      },
    };
  }

  async *#digests({ offsetBytes, lengthBytes }: ByteRange): AsyncGenerator<BlockDigest> {
    const end = (offsetBytes + lengthBytes) / blockBytes;
    for (let index = offsetBytes / blockBytes; index < end; index += 1) {
      await this.beforeBlock(index);
      const block = blocks(index, 1);
      const data = this.#stable.subarray(block.offsetBytes, block.offsetBytes + block.lengthBytes);
      yield { ...block, digest: toHex(await sha256.digest(data)) };
    }
  }
}

async function seenOf(bytes: Uint8Array): Promise<BlockDigests> {
  const seen = new BlockDigests(sha256, blockBytes, bytes.length);
  for (let offset = 0; offset < bytes.length; offset += blockBytes)
    seen.set(offset, await sha256.digest(bytes.slice(offset, offset + blockBytes)));
  return seen;
}

async function earlyOf(target: Target, context: TestContext): Promise<EarlyVerification> {
  const seen = await seenOf(sourceBytes);
  const { disk: hashing, flush } = target;
  return new EarlyVerification({ seen, hashing, flush, signal: context.signal });
}

/** All that is due has been done. */
const settled = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 20));

describe('the verification of blocks while others are moved', () => {
  test('asks for what is moved when there is enough of it, and for nothing twice', async (context) => {
    const target = new Target();
    const early = await earlyOf(target, context);
    early.moved(blocks(0, blocksMin - 1));
    await settled();
    assert.deepEqual(target.asked, []);
    early.moved(blocks(blocksMin - 1, 1));
    early.moved(blocks(2 * blocksMin, blocksMin + 1));
    await settled();
    const asked = [blocks(0, blocksMin), blocks(2 * blocksMin, blocksMin + 1)];
    assert.deepEqual(target.asked, asked);
    early.moved(blocks(blocksMin, 2));
    assert.deepEqual([...(await early.end())], asked);
    assert.equal(target.asked.length, 2);
  });

  test('waits for what was asked for when it ends', async (context) => {
    const target = new Target();
    const gate = Promise.withResolvers<undefined>();
    target.beforeBlock = async (index) => {
      if (index === 5) await gate.promise;
    };
    const early = await earlyOf(target, context);
    early.moved(blocks(0, blocksMin));
    await settled();
    const ended = early.end();
    gate.resolve(undefined);
    assert.deepEqual([...(await ended)], [blocks(0, blocksMin)]);
  });

  test('leaves what differs to the verification at the end', async (context) => {
    const target = new Target();
    target.bytes[3 * blockBytes] = 0xff;
    const early = await earlyOf(target, context);
    early.moved(blocks(0, blocksMin));
    await settled();
    assert.deepEqual([...(await early.end())], [blocks(0, 3), blocks(4, blocksMin - 4)]);
  });

  test('compares again what was written again, also what it is just comparing', async (context) => {
    const target = new Target();
    const gate = Promise.withResolvers<undefined>();
    target.beforeBlock = async (index) => {
      if (index === blocksMin - 1) await gate.promise;
    };
    const early = await earlyOf(target, context);
    early.moved(blocks(0, blocksMin));
    await settled();
    early.forget();
    gate.resolve(undefined);
    await settled();
    early.moved(blocks(blocksMin, blocksMin));
    await settled();
    assert.deepEqual([...(await early.end())], [blocks(blocksMin, blocksMin)]);
  });

  for (const [what, answer] of [
    ['a service that cannot tell digests', 'nothing'],
    ['a refusal', new TransferError('forbidden', { retryable: false })],
  ] as const) {
    test(`asks no more after ${what}`, async (context) => {
      const target = new Target();
      target.answer = answer;
      const early = await earlyOf(target, context);
      early.moved(blocks(0, blocksMin));
      await settled();
      early.moved(blocks(blocksMin, blocksMin));
      await settled();
      assert.deepEqual([...(await early.end())], []);
      assert.equal(target.asked.length, 1);
    });
  }

  test('leaves a service alone that is at a limit, and keeps nobody waiting', async (context) => {
    const target = new Target();
    target.answer = new TransferError('busy', { retryable: true });
    const early = await earlyOf(target, context);
    early.moved(blocks(0, blocksMin));
    await settled();
    target.answer = 'digests';
    early.moved(blocks(blocksMin, blocksMin));
    await settled();
    assert.equal(target.asked.length, 1);
    assert.deepEqual([...(await early.end())], []);
  });

  test('ends with its signal', async () => {
    const target = new Target();
    const controller = new AbortController();
    const early = new EarlyVerification({
      seen: await seenOf(sourceBytes),
      hashing: target.disk,
      flush: target.flush,
      signal: controller.signal,
    });
    controller.abort();
    early.moved(blocks(0, blocksMin));
    assert.deepEqual([...(await early.end())], []);
    assert.deepEqual(target.asked, []);
  });
});
