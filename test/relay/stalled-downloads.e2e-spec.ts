import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { monitored, Scrape } from '../e2e/monitoring.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually, within } from '../support/deadline.js';
import { writeRandomImage } from '../support/images.js';
import { RawSocket } from '../support/raw-socket.js';

const stalledCount = 300;
/** More than all sockets on the way hold for a client that does not read. */
const neverReadBytes = 64 * MiB;
const honestBytes = 16 * MiB + 1;
/** The default of `relay_buffer_bytes_per_ticket`. */
const shareBytes = 32 * MiB;
/** What all of it may take of the proxy's memory, which idles with some 110 MiB. */
const residentBytesMax = 400 * MiB;
/** Above that: 1.4 MiB for each download were 425 MiB. */
const moreBytesMax = 260 * MiB;

/** Uploads and downloads an image through the proxy, on a ticket of its own. */
async function assertHonestTransfer(deployment: Deployment): Promise<void> {
  const content = randomBytes(honestBytes);
  const file = deployment.folder.file('honest');
  await writeRandomImage(file, honestBytes);
  const id = await deployment.addTicket('write', file, honestBytes);
  const headers = { Authorization: deployment.signTicket(id) };
  const client = new ImagesClient(deployment.proxy.address('remote'), { headers });
  try {
    const put = await client.request('PUT', imagePath(id), { body: content });
    assert.equal(put.status, 200, put.text);
    const get = await client.request('GET', imagePath(id));
    assert.equal(get.status, 200, get.text);
    assert.ok(get.body.equals(content));
  } finally {
    client.close();
  }
}

/** Asks for one image many times, and reads nothing. */
async function stall(deployment: Deployment): Promise<RawSocket[]> {
  const file = deployment.folder.file('never-read');
  await writeRandomImage(file, neverReadBytes);
  const id = await deployment.addTicket('read', file, neverReadBytes);
  const authorization = `Authorization: ${deployment.signTicket(id)}`;
  const connecting = Array.from({ length: stalledCount }, () =>
    RawSocket.connect(deployment.proxy.address('remote')),
  );
  const sockets = await Promise.all(connecting);
  for (const socket of sockets) {
    socket.pause();
    await socket.sendHead(`GET ${imagePath(id)} HTTP/1.1`, 'Host: localhost', authorization);
  }
  return sockets;
}

async function bytesInUse(deployment: Deployment): Promise<number> {
  return (await Scrape.of(deployment.proxy)).sum('imageio_relay_buffer_bytes_in_use');
}

describe('downloads of one ticket that are never read', () => {
  test('leave the proxy its memory and others their transfers', async (context) => {
    await using deployment = await Deployment.start({ proxy: monitored });
    const { program } = deployment.proxy;
    await assertHonestTransfer(deployment);
    const usualBytes = program.residentBytes;
    const sockets = await stall(deployment);
    await eventually(
      async () => (await bytesInUse(deployment)) > shareBytes - MiB || undefined,
      'the ticket has its share',
    );
    assert.ok((await bytesInUse(deployment)) <= shareBytes);
    // Beside those that stall, and beside those that take the places of the ones that are cut.
    for (let count = 0; count < 3; count++)
      await within(assertHonestTransfer(deployment), 'an honest transfer');
    assert.ok((await bytesInUse(deployment)) <= shareBytes);
    for (const socket of sockets) socket.reset();
    await eventually(
      async () => (await bytesInUse(deployment)) === 0 || undefined,
      'all buffers are given back',
    );
    const moreBytes = program.residentBytesMax - usualBytes;
    const text = `${Math.round(usualBytes / MiB)} MiB, and ${Math.round(moreBytes / MiB)} MiB more`;
    context.diagnostic(text);
    assert.ok(moreBytes <= moreBytesMax && program.residentBytesMax <= residentBytesMax, text);
  });
});
