import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { ActivatedDaemon } from '../support/activated-daemon.js';
import { eventually } from '../support/deadline.js';
import { SeededRandom } from '../support/random.js';
import type { TicketInfo, Vdsm } from '../support/vdsm.js';

/** How often the daemon is restarted; many with `RESTARTS=100` (docs/development.md). */
const restarts = Number(process.env['RESTARTS'] ?? '6');
const configuration = { daemon: { keep_tickets: 'restart' }, limits: { grace_sec: 1 } };
const pollMilliseconds = 20;
const imageBytes = 8 * MiB;
const blockBytes = 256 * KiB;

/** Asks for a ticket again and again, as vdsm does for each transfer, and keeps what failed. */
class Poller {
  readonly failures: unknown[] = [];
  readonly expiries: number[] = [];
  count = 0;
  slowestMilliseconds = 0;
  #isPolling = false;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(
    private readonly vdsm: Vdsm,
    private readonly id: string,
  ) {
    this.#done = this.#run();
  }

  /** Resolves when no request of it is under way; none begins before the caller has awaited something. */
  async pause(): Promise<void> {
    while (this.#isPolling) await delay(1);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#isPolling = true;
      const startedAt = performance.now();
      try {
        const { expires } = await this.vdsm.getTicket(this.id);
        this.expiries.push(expires);
      } catch (error: unknown) {
        this.failures.push(error);
      }
      this.#isPolling = false;
      this.count++;
      this.slowestMilliseconds = Math.max(this.slowestMilliseconds, performance.now() - startedAt);
      await delay(pollMilliseconds);
    }
  }
}

/** Writes blocks of an image in a random order for as long as it may, and tries again what fails. */
class Upload {
  readonly image = Buffer.alloc(imageBytes);
  written = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(
    private readonly daemon: ActivatedDaemon,
    private readonly id: string,
    seed: number,
  ) {
    this.#done = this.#run(new SeededRandom(seed));
  }

  /** Resolves when everything that was begun is in the image, and durable. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
    await this.daemon.client().flush(this.id);
  }

  async #run(random: SeededRandom): Promise<void> {
    const client = this.daemon.client();
    while (!this.#stopped) {
      const offset = random.below(imageBytes / blockBytes) * blockBytes;
      const block = randomBytes(blockBytes);
      block.copy(this.image, offset);
      const flush = random.below(4) === 0;
      await eventually(
        async () => client.write(this.id, block, offset, flush).then(yes, no),
        'a block is written',
      );
      this.written++;
    }
  }
}

const yes = (): true => true;
// Whatever it fails with, the block is sent again: refused while the daemon stops, or cut off with it.
const no = (): undefined => undefined;

async function addTicket(daemon: ActivatedDaemon, timeout = 300): Promise<{ id: string; file: string }> {
  const id = randomUUID();
  const file = daemon.folder.file(`${id}.raw`);
  await writeFile(file, '');
  const ops = ['write'] as const;
  await daemon.vdsm.addTicket({ uuid: id, size: imageBytes, ops, timeout, url: `file://${file}` });
  return { id, file };
}

describe('a daemon that keeps its tickets, on sockets that the service manager has', () => {
  test('is restarted and killed under an upload without a failed poll or a lost byte', async (t) => {
    await using daemon = await ActivatedDaemon.start({ configuration });
    const { id, file } = await addTicket(daemon);
    const poller = new Poller(daemon.vdsm, id);
    const upload = new Upload(daemon, id, 15);
    let slowestMilliseconds = 0;
    for (let restart = 0; restart < restarts; restart++) {
      await daemon.ready(restart + 1);
      const before = upload.written;
      await eventually(() => (upload.written > before + 5 ? true : undefined), 'the upload goes on');
      const signal = restart % 2 === 0 ? 'SIGTERM' : 'SIGKILL';
      // A process that is killed answers nobody any more, so it is killed between two polls.
      if (signal === 'SIGKILL') await poller.pause();
      const startedAgain = daemon.restart(signal);
      await startedAgain;
      const startedAt = performance.now();
      const writtenBefore = upload.written;
      await eventually(() => (upload.written > writtenBefore ? true : undefined), 'a block after the start');
      slowestMilliseconds = Math.max(slowestMilliseconds, performance.now() - startedAt);
    }
    await upload.stop();
    await poller.stop();
    t.diagnostic(
      `${restarts} restarts; ${poller.count} polls, the slowest took ${poller.slowestMilliseconds} ms`,
    );
    t.diagnostic(`${upload.written} blocks, the first at most ${slowestMilliseconds} ms after a start`);
    assert.deepEqual(poller.failures, []);
    assert.ok((await readFile(file)).equals(upload.image));
    const restored = daemon.log.filter(({ msg }) => msg === '1 tickets restored');
    assert.equal(restored.length, restarts);
    assert.ok(!daemon.activator.lines.join('\n').includes(id));
  });

  test('lets a ticket expire when it would have without a restart, and extends it', async () => {
    await using daemon = await ActivatedDaemon.start({ configuration });
    const { id } = await addTicket(daemon, 1000);
    const before = await daemon.vdsm.getTicket(id);
    await daemon.restart('SIGKILL');
    const after = await daemon.vdsm.getTicket(id);
    assert.deepEqual({ ...after, idle_time: 0 }, { ...before, idle_time: 0 });
    assert.ok(after.idle_time >= before.idle_time);
    await daemon.vdsm.extendTicket(id, 0);
    await daemon.restart('SIGTERM');
    const client = daemon.client();
    assert.equal((await client.request('GET', `/images/${id}`)).status, 403);
    await daemon.vdsm.extendTicket(id, 300);
    await client.write(id, Buffer.alloc(10), 0, true);
  });

  test('brings back no ticket that was removed just before it is killed', async () => {
    await using daemon = await ActivatedDaemon.start({ configuration });
    const kept = await addTicket(daemon);
    const removed = await addTicket(daemon);
    await daemon.vdsm.removeTicket(removed.id);
    await daemon.restart('SIGKILL');
    assert.deepEqual((await daemon.vdsm.listTickets()).map(idOf), [kept.id]);
  });
});

describe('a daemon that does not keep its tickets', () => {
  test('has none after a restart, and leaves none for a later one', async () => {
    await using daemon = await ActivatedDaemon.start();
    const journal = daemon.folder.file('tickets.journal');
    await addTicket(daemon);
    await writeFile(journal, 'of a daemon that did');
    await daemon.restart('SIGTERM');
    assert.deepEqual(await daemon.vdsm.listTickets(), []);
    await daemon.ready(2);
    await assert.rejects(readFile(journal), { code: 'ENOENT' });
  });
});

function idOf({ uuid }: TicketInfo): string {
  return uuid;
}
