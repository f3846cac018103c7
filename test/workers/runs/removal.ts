import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { MiB, type ByteRange } from '../../../src/base/units.js';
import { DaemonUnderTest } from '../../e2e/daemon-under-test.js';
import { ImagesClient } from '../../support/client.js';
import { within } from '../../support/deadline.js';
import type { SeededRandom } from '../../support/random.js';
import { assertBytesOf, Downloader, type Outcome } from '../downloader.js';
import { randomBytes } from '../random-bytes.js';
import { configuration, DaemonScene } from '../scene.js';

/** More than the sockets of a connection take. */
const imageBytes = 24 * MiB;
const downloaders = 5;
const delayMillisecondsMax = 40;

/**
 * A ticket is removed while downloads of it run in all workers: when that is answered nothing reads the image
 * any more. Asked before, the ticket tells of exactly what its clients have.
 */
export class Removal extends DaemonScene {
  static async start(): Promise<Removal> {
    return new Removal(await DaemonUnderTest.start(configuration));
  }

  async run(random: SeededRandom): Promise<void> {
    const { fixture } = this;
    const bytes = randomBytes(random, imageBytes);
    const image = await fixture.addImage(bytes, { ops: ['read'] });
    const clients = Array.from(
      { length: downloaders },
      () => new Downloader(fixture.daemon.address('remote'), image.path, imageBytes, random),
    );
    const sleeper = new ImagesClient(fixture.daemon.address('remote'), { connectionsMax: 1 });
    try {
      const parts: ByteRange[] = [];
      const check = (outcome: Outcome): void => {
        if (outcome.kind !== 'whole') return;
        assertBytesOf(bytes, outcome);
        parts.push(outcome.part);
      };
      const running = Promise.all(clients.map((client) => client.run(check)));
      await delay(random.below(delayMillisecondsMax));
      if (random.next() < 0.5) {
        for (const client of clients) client.stop();
        await running;
        for (const client of [...clients, ...clients]) {
          const { active, transferred } = await fixture.vdsm.getTicket(image.id);
          assert.deepEqual({ active, transferred }, { active: false, transferred: unionOf(parts) });
          check(await client.once());
        }
      }
      // A client that reads nothing does not hold it up.
      const unread = random.next() < 0.3 ? await sleeper.open('GET', image.path) : undefined;
      await within(fixture.vdsm.removeTicket(image.id), 'the removal');
      unread?.destroy();
      assert.equal(await fixture.openFiles(image.file), 0, 'the image is still open');
      for (const outcome of await Promise.all(clients.map((client) => client.once()))) {
        // A connection on which something was cut is closed.
        if (outcome.kind === 'gone') continue;
        assert.deepEqual(outcome, { kind: 'refused', status: 403 });
      }
      for (const client of clients) client.stop();
      await running;
    } finally {
      for (const client of clients) client.close();
      sleeper.close();
    }
  }
}

/** How many bytes the parts are, those that more than one has once. */
function unionOf(parts: readonly ByteRange[]): number {
  let sum = 0;
  let end = 0;
  for (const { offsetBytes, lengthBytes } of parts.toSorted((a, b) => a.offsetBytes - b.offsetBytes)) {
    const begin = Math.max(offsetBytes, end);
    end = Math.max(end, offsetBytes + lengthBytes);
    sum += Math.max(0, end - begin);
  }
  return sum;
}
