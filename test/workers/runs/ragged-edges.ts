import assert from 'node:assert/strict';
import { KiB } from '../../../src/base/units.js';
import { DaemonUnderTest, type ImageTicket } from '../../e2e/daemon-under-test.js';
import { ImagesClient } from '../../support/client.js';
import type { SeededRandom } from '../../support/random.js';
import { randomBytes } from '../random-bytes.js';
import { configuration, DaemonScene } from '../scene.js';

const imageBytes = 64 * KiB;
const writers = 4;
const roundsMax = 6;

/**
 * Neighbouring parts of an image, whose ends share blocks, are written at once on connections of different
 * workers, while others read: no byte of a neighbour is lost, and whoever reads sees old or new bytes.
 */
export class RaggedEdges extends DaemonScene {
  static async start(): Promise<RaggedEdges> {
    return new RaggedEdges(await DaemonUnderTest.start(configuration));
  }

  async run(random: SeededRandom): Promise<void> {
    const { fixture } = this;
    let expected = randomBytes(random, imageBytes);
    const image = await fixture.addImage(expected, { ops: ['read', 'write'] });
    const clients = Array.from(
      { length: writers + 2 },
      () => new ImagesClient(fixture.daemon.address('remote'), { connectionsMax: 1 }),
    );
    try {
      for (let round = 1 + random.below(roundsMax); round > 0; round--) {
        const next = randomBytes(random, imageBytes);
        await this.#round(random, { image, clients, before: expected, next });
        expected = next;
      }
      assert.ok((await fixture.contentOf(image)).equals(expected), 'a byte of a neighbour was lost');
    } finally {
      for (const client of clients) client.close();
      await fixture.vdsm.removeTicket(image.id);
    }
  }

  async #round(
    random: SeededRandom,
    {
      image,
      clients,
      before,
      next,
    }: { image: ImageTicket; clients: ImagesClient[]; before: Buffer; next: Buffer },
  ): Promise<void> {
    const readers = clients.slice(writers);
    const tasks = clients.map((): [number, number][] => []);
    for (const piece of pieces(random)) tasks[random.below(writers)]?.push(piece);
    const ended = { writing: false };
    const writing = Promise.all(
      clients.slice(0, writers).map(async (client, index) => {
        for (const [begin, end] of tasks[index] ?? [])
          await client.write(image.id, next.subarray(begin, end), begin);
      }),
    ).finally(() => {
      ended.writing = true;
    });
    const reading = readers.map(async (client) => {
      while (!ended.writing) {
        const bytes = await client.read(image.id, { offsetBytes: 0, lengthBytes: imageBytes });
        bytes.forEach((byte, at) => {
          if (byte !== before[at] && byte !== next[at]) assert.fail(`byte ${at} was never written`);
        });
      }
    });
    await Promise.all([writing, ...reading]);
    const bytes = await readers[0]?.read(image.id, { offsetBytes: 0, lengthBytes: imageBytes });
    assert.ok(bytes?.equals(next) === true, 'a byte of a neighbour was lost');
  }
}

/** All of the image, cut at random places. */
function pieces(random: SeededRandom): [number, number][] {
  const cuts = Array.from({ length: 1 + random.below(24) }, () => 1 + random.below(imageBytes - 1));
  const ends = [...new Set([...cuts, imageBytes])].toSorted((one, other) => one - other);
  return ends.map((end, index) => [index === 0 ? 0 : (ends[index - 1] ?? 0), end]);
}
