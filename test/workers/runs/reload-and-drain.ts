import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { MiB } from '../../../src/base/units.js';
import { ImagesClient, imagePath } from '../../support/client.js';
import { eventually } from '../../support/deadline.js';
import { Pki, type Identity } from '../../support/pki.js';
import { startDaemon, type Service } from '../../support/processes.js';
import type { SeededRandom } from '../../support/random.js';
import { TemporaryFolder } from '../../support/temporary-folder.js';
import { type Address, connectOptions } from '../../support/address.js';
import { RawSocket } from '../../support/raw-socket.js';
import { assertBytesOf, Downloader, type Outcome } from '../downloader.js';
import { randomBytes } from '../random-bytes.js';
import { configuration, type Scene } from '../scene.js';

const imageBytes = 8 * MiB;
const downloaders = 4;
const delayMillisecondsMax = 60;
const ticketId = 'drained';

/**
 * The certificate is replaced and then the service is stopped, while downloads run: connections to come see
 * the new certificate, those that are there go on, and every answer that has begun comes whole.
 */
export class ReloadAndDrain implements Scene {
  #count = 0;

  private constructor(
    private readonly folder: TemporaryFolder,
    private readonly pki: Pki,
    private readonly identities: readonly Identity[],
  ) {}

  static async start(): Promise<ReloadAndDrain> {
    const folder = await TemporaryFolder.create();
    const pki = await Pki.create(folder.file('pki'));
    const identities = [await pki.issueHost('one'), await pki.issueHost('other')];
    return new ReloadAndDrain(folder, pki, identities);
  }

  async run(random: SeededRandom): Promise<void> {
    const { folder, pki } = this;
    const [one, other] = this.identities;
    assert.ok(one !== undefined && other !== undefined);
    const own = folder.file(String(++this.#count));
    const identity = { ...one, keyFile: `${own}.key`, certFile: `${own}.pem` };
    await useIdentity(one, identity);
    const bytes = randomBytes(random, imageBytes);
    await writeFile(`${own}.raw`, bytes);
    const daemon = await startDaemon({
      folder: own,
      pki,
      identity,
      configuration: { ...configuration, tls: { reload_interval_sec: 0 } },
    });
    const address = daemon.address('remote');
    await daemon.vdsm.addTicket({
      uuid: ticketId,
      size: imageBytes,
      ops: ['read'],
      timeout: 300,
      url: `file://${own}.raw`,
    });
    const path = imagePath(ticketId);
    const clients = Array.from(
      { length: downloaders },
      () => new Downloader(address, path, imageBytes, random),
    );
    const reader = new ImagesClient(address, { connectionsMax: 1 });
    try {
      const outcomes: Outcome[] = [];
      const running = Promise.all(clients.map((client) => client.run((outcome) => outcomes.push(outcome))));
      await delay(random.below(delayMillisecondsMax));
      assert.equal(await shownCertificate(daemon), one.certPem);
      await useIdentity(other, identity);
      daemon.program.signal('SIGHUP');
      await eventually(
        () => daemon.log.some(({ msg }) => String(msg).startsWith('Reloaded the certificate')) || undefined,
        'the certificate is replaced',
      );
      assert.equal(await shownCertificate(daemon), other.certPem);
      assert.deepEqual(
        outcomes.filter(({ kind }) => kind !== 'whole'),
        [],
        'a download was disturbed by another certificate',
      );
      await delay(random.below(delayMillisecondsMax));
      // One whose client takes its time.
      const slow = await reader.open('GET', path);
      const stopping = daemon.stop();
      const drainingSince = await refusesConnections(address);
      await delay(random.below(delayMillisecondsMax));
      const received: Buffer[] = [];
      for await (const chunk of slow) received.push(chunk as Buffer);
      assert.ok(Buffer.concat(received).equals(bytes), 'a download was cut');
      await running;
      await stopping;
      for (const outcome of outcomes) {
        assert.notEqual(outcome.kind, 'cut', 'a download was cut');
        if (outcome.kind === 'refused') assert.equal(outcome.status, 503);
        if (outcome.kind !== 'whole') continue;
        assert.ok(outcome.startedAt <= drainingSince, 'a download began after the service had begun to stop');
        assertBytesOf(bytes, outcome);
      }
    } finally {
      for (const client of clients) client.close();
      reader.close();
      if (!daemon.program.hasExited) await daemon.program.kill();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

/** @returns when that was seen, by `performance.now` */
async function refusesConnections(address: Address): Promise<number> {
  return eventually(
    async () => {
      const socket = await RawSocket.connect(address).catch(() => undefined);
      socket?.close();
      return socket === undefined ? performance.now() : undefined;
    },
    'the service begins to stop',
    { intervalMs: 1 },
  );
}

async function useIdentity(from: Identity, to: Identity): Promise<void> {
  await copyFile(from.keyFile, to.keyFile);
  await copyFile(from.certFile, to.certFile);
}

/** The certificate that a new connection is shown, as PEM. */
async function shownCertificate(daemon: Service): Promise<string> {
  const socket = connect(connectOptions(daemon.address('remote')));
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerX509Certificate()?.toString() ?? '';
  } finally {
    socket.destroy();
  }
}
