import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { imagePath, ImagesClient } from '../support/client.js';
import { monitored, Scrape } from '../e2e/monitoring.js';
import { NbdDaemon } from './nbd-daemon.js';
import { missing } from './servers.js';

const blocks = 8;
const sizeBytes = blocks * MiB;
const query = `algorithm=sha256&block_size=${MiB}`;

describe('digests of an image at an NBD server', { skip: missing('qemu-nbd', 'nbdkit') }, () => {
  let daemon: NbdDaemon;
  before(async () => {
    daemon = await NbdDaemon.start(monitored);
  });
  after(() => daemon[Symbol.asyncDispose]());

  /** A client of one connection, so that it has one connection to the NBD server. */
  const client = () => new ImagesClient(daemon.service.address('local'), { connectionsMax: 1 });

  const putBlock = async (on: ImagesClient, id: string, index: number, data: Buffer): Promise<void> => {
    const block = data.subarray(index * MiB, (index + 1) * MiB);
    const headers = {
      'Content-Range': `bytes ${index * MiB}-${(index + 1) * MiB - 1}/*`,
      'Content-Digest': `sha-256=:${createHash('sha256').update(block).digest('base64')}:`,
    };
    const { status } = await on.request('PUT', `${imagePath(id)}?flush=n`, { headers, body: block });
    assert.equal(status, 200);
  };

  const checksumOf = (data: Buffer): string => {
    const outer = createHash('sha256');
    for (let at = 0; at < data.length; at += MiB)
      outer.update(
        createHash('sha256')
          .update(data.subarray(at, at + MiB))
          .digest(),
      );
    return outer.digest('hex');
  };

  /** @returns the checksum, and how many bytes were read for it */
  async function checksum(on: ImagesClient, id: string): Promise<[string, number]> {
    const read = async () =>
      (await Scrape.of(daemon.service)).sum('imageio_digested_bytes_total', { source: 'read' });
    const before = await read();
    const { text } = await on.request('GET', `${imagePath(id)}/checksum?${query}`);
    return [(JSON.parse(text) as { checksum: string }).checksum, (await read()) - before];
  }

  async function qemuExport(): Promise<string> {
    const file = daemon.workspace.path('image');
    await writeFile(file, '');
    await truncate(file, sizeBytes);
    return (await daemon.workspace.qemuNbd('--format=raw', file)).url;
  }

  test('are kept while it is connected to, so that a checksum after an upload reads 0 bytes', async () => {
    const id = await daemon.addTicket(await qemuExport(), sizeBytes);
    const data = randomBytes(sizeBytes);
    const clients = [client(), client(), client()];
    await Promise.all(
      clients.map(async (on, first) => {
        for (let index = first; index < blocks; index += clients.length) await putBlock(on, id, index, data);
      }),
    );
    const [last] = clients;
    assert.ok(last);
    assert.deepEqual(await checksum(last, id), [checksumOf(data), 0]);
    for (const on of clients) on.close();
    const other = client();
    await daemon.ticketState(id, ({ connections }) => connections === 0, 'the image is closed');
    // Nobody was connected for a while, so the server may be another one.
    assert.deepEqual(await checksum(other, id), [checksumOf(data), sizeBytes]);
    other.close();
  });

  test('are not shared by connections that a server has not said to be of one mind', async () => {
    const { url } = await daemon.workspace.nbdkit(
      '--filter=multi-conn',
      'memory',
      `${sizeBytes}`,
      'multi-conn-mode=disable',
    );
    const id = await daemon.addTicket(url, sizeBytes);
    const data = randomBytes(sizeBytes);
    const [one, two] = [client(), client()];
    for (let index = 0; index < blocks; index += 1) await putBlock(index % 2 ? one : two, id, index, data);
    assert.deepEqual(await checksum(one, id), [checksumOf(data), sizeBytes / 2]);
    for (const on of [one, two]) on.close();
  });

  test('are doubted when the server was started anew, and tell where it lost something', async () => {
    const server = await daemon.workspace.nbdkit('memory', `${sizeBytes}`);
    const id = await daemon.addTicket(server.url, sizeBytes);
    const data = randomBytes(sizeBytes);
    const on = client();
    for (let index = 2; index < blocks; index += 1) await putBlock(on, id, index, data);
    await server.stop();
    await server.start();
    data.fill(0);
    // What its memory had is gone, and it has only zeroes.
    const expect = checksumOf(randomBytes(sizeBytes));
    const headers = { Accept: 'application/json' };
    const answer = await on.request('GET', `${imagePath(id)}/checksum?${query}&expect=${expect}`, {
      headers,
    });
    assert.equal(answer.status, 409, answer.text);
    const { actual, first_difference } = JSON.parse(answer.text) as Record<string, unknown>;
    assert.deepEqual({ actual, first_difference }, { actual: checksumOf(data), first_difference: 2 * MiB });
    on.close();
  });
});
