import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { KiB, MiB } from '../../../src/base/units.js';
import { DaemonUnderTest } from '../../e2e/daemon-under-test.js';
import { Scrape } from '../../e2e/monitoring.js';
import { eventually } from '../../support/deadline.js';
import type { SeededRandom } from '../../support/random.js';
import { assertBytesOf, Downloader, type Outcome } from '../downloader.js';
import { randomBytes } from '../random-bytes.js';
import { configuration, DaemonScene } from '../scene.js';

const connectionsMax = 16;
const bufferBytes = 128 * KiB;
const bufferPoolBytes = 2 * MiB;
const imageBytes = 4 * MiB;
const clientsMax = 28;
const lifeMillisecondsMax = 80;

/**
 * More clients than there may be connections, and more downloads than there are buffers, race for both in all
 * workers: there are never more than allowed, whoever gets an answer gets the right one, and in the end
 * everything was given back.
 */
export class Limits extends DaemonScene {
  static async start(): Promise<Limits> {
    return new Limits(
      await DaemonUnderTest.start({
        ...configuration,
        limits: {
          connections: connectionsMax,
          buffer_pool_bytes: bufferPoolBytes,
          buffer_bytes: bufferBytes,
          buffer_wait_sec: 2,
          buffer_stall_sec: 1,
        },
      }),
    );
  }

  async run(random: SeededRandom): Promise<void> {
    const { fixture } = this;
    const bytes = randomBytes(random, imageBytes);
    const images = await Promise.all([1, 2].map(() => fixture.addImage(bytes, { ops: ['read'] })));
    const check = (outcome: Outcome): void => {
      if (outcome.kind === 'refused') assert.equal(outcome.status, 503);
      assert.notEqual(outcome.kind, 'cut');
      if (outcome.kind !== 'whole') return;
      assertBytesOf(bytes, outcome);
    };
    const clients = Array.from({ length: 1 + random.below(clientsMax) }, () => {
      const { path } = random.of(images);
      return new Downloader(fixture.daemon.address('remote'), path, imageBytes, random);
    });
    try {
      const running = clients.map(async (client) => {
        await delay(random.below(lifeMillisecondsMax / 2));
        const stopping = setTimeout(() => {
          client.stop();
        }, random.below(lifeMillisecondsMax));
        await client.run(check);
        clearTimeout(stopping);
      });
      await Promise.all([...running, this.#watch(Promise.all(running))]);
    } finally {
      for (const client of clients) client.close();
      for (const { id } of images) await fixture.vdsm.removeTicket(id);
    }
    await this.#isGivenBack();
  }

  async #watch(running: Promise<unknown>): Promise<void> {
    const ended = { yet: false };
    const end = (): void => {
      ended.yet = true;
    };
    running.then(end, end);
    while (!ended.yet) {
      const scrape = await Scrape.of(this.fixture.daemon);
      const connections = scrape.sum('imageio_connections', { listener: 'remote' });
      assert.ok(connections <= connectionsMax, `${connections} connections`);
      for (const size of ['large', 'small']) {
        const inUse = scrape.sum('imageio_buffers_in_use', { size });
        assert.ok(inUse <= scrape.sum('imageio_buffers_max', { size }), `${inUse} ${size} buffers`);
      }
    }
    const { bufferBytesMax } = await this.#buffers();
    assert.ok(bufferBytesMax <= bufferPoolBytes, `${bufferBytesMax} bytes of buffers`);
  }

  async #buffers(): Promise<{ readonly inUse: number; readonly bufferBytesMax: number }> {
    const scrape = await Scrape.of(this.fixture.daemon);
    const most = (size: string): number => scrape.sum('imageio_buffers_max', { size });
    return {
      inUse: scrape.sum('imageio_buffers_in_use'),
      bufferBytesMax: most('large') * bufferBytes + most('small') * 64 * KiB,
    };
  }

  async #isGivenBack(): Promise<void> {
    await eventually(async () => {
      const scrape = await Scrape.of(this.fixture.daemon);
      const connections = scrape.sum('imageio_connections', { listener: 'remote' });
      return connections === 0 && (await this.#buffers()).inUse === 0 ? true : undefined;
    }, 'connections and buffers are given back');
  }
}
