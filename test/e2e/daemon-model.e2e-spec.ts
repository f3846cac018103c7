import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import type { ImagesClient } from '../support/client.js';
import { SeededRandom } from '../support/random.js';
import { DaemonUnderTest } from './daemon-under-test.js';

const imageBytes = 8 * MiB;
const stepsMax = 60;
const lengthBytesMax = 3 * MiB;

/** Choices of what to do next: a failure names its seed. */
class Dice extends SeededRandom {
  /** Half of the ranges begin at a block, and many are tiny. */
  range(): { offsetBytes: number; lengthBytes: number } {
    const longest = [16, 5000, 300_000, lengthBytesMax][this.below(4)] ?? 16;
    const wanted = 1 + this.below(longest);
    const anywhere = this.below(imageBytes);
    const offsetBytes = this.below(2) === 0 ? anywhere : anywhere - (anywhere % 4096);
    return { offsetBytes, lengthBytes: Math.min(wanted, imageBytes - offsetBytes) };
  }
}

/** What the image must look like: bytes past its end do not exist yet. */
class Model {
  readonly bytes = Buffer.alloc(imageBytes);
  sizeBytes = 0;

  write(data: Uint8Array, offsetBytes: number): void {
    this.bytes.set(data, offsetBytes);
    this.sizeBytes = Math.max(this.sizeBytes, offsetBytes + data.length);
  }

  get image(): Buffer {
    return this.bytes.subarray(0, this.sizeBytes);
  }
}

async function step(dice: Dice, model: Model, client: ImagesClient, id: string): Promise<void> {
  const range = dice.range();
  switch (dice.below(5)) {
    case 0:
    case 1: {
      const data = randomBytes(range.lengthBytes);
      await client.write(id, data, range.offsetBytes, dice.below(3) === 0);
      model.write(data, range.offsetBytes);
      return;
    }
    case 2:
      await client.zero(id, range, dice.below(2) === 0);
      model.write(Buffer.alloc(range.lengthBytes), range.offsetBytes);
      return;
    case 3:
      await client.flush(id);
      return;
    default: {
      const endBytes = Math.min(range.offsetBytes + range.lengthBytes, model.sizeBytes);
      if (endBytes <= range.offsetBytes) return;
      const lengthBytes = endBytes - range.offsetBytes;
      const data = await client.read(id, { offsetBytes: range.offsetBytes, lengthBytes });
      assert.ok(data.equals(model.bytes.subarray(range.offsetBytes, endBytes)), JSON.stringify(range));
    }
  }
}

describe('random writes, zeroes, flushes and reads of a thin image', () => {
  for (const sparse of [true, false]) {
    test(`leave exactly what a model of it has (${sparse ? 'sparse' : 'allocated'})`, async (t) => {
      const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
      t.diagnostic(`TEST_SEED=${seed}`);
      await using fixture = await DaemonUnderTest.start();
      const ticket = await fixture.addImage(Buffer.alloc(0), { ops: ['write'], size: imageBytes, sparse });
      const clients = [fixture.client(), fixture.client(), fixture.client('local')];
      const dice = new Dice(seed);
      const model = new Model();
      for (let index = 0; index < stepsMax; index++) {
        await step(dice, model, clients[dice.below(clients.length)]!, ticket.id);
      }
      assert.ok((await fixture.contentOf(ticket)).equals(model.image));
    });
  }

  test('leave it right when several connections write side by side into the same blocks', async () => {
    await using fixture = await DaemonUnderTest.start();
    const ticket = await fixture.addImage(Buffer.alloc(0), { ops: ['write'], size: imageBytes });
    // Pieces that share their first and last blocks with the neighbours'.
    const pieceBytes = 10_007;
    const pieces = Array.from({ length: 64 }, (_, index) => ({
      offsetBytes: index * pieceBytes,
      data: randomBytes(pieceBytes),
    }));
    const clients = Array.from({ length: 8 }, () => fixture.client());
    await Promise.all(
      clients.map(async (client, lane) => {
        for (let index = lane; index < pieces.length; index += clients.length) {
          const { data, offsetBytes } = pieces[index]!;
          await client.write(ticket.id, data, offsetBytes);
        }
      }),
    );
    assert.ok((await fixture.contentOf(ticket)).equals(Buffer.concat(pieces.map(({ data }) => data))));
  });
});
