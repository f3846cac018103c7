import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { assertSameImage, writeSparseImage } from '../support/images.js';
import type { Service } from '../support/processes.js';
import { Deployment } from './deployment.js';

// Far more than any buffer, so that a body that is kept anywhere shows.
// TEST_IMAGE_MIB=4096 makes it a large one.
const imageBytes = Number(process.env['TEST_IMAGE_MIB'] ?? 512) * MiB;
// What the heap, the buffers and the connections of two transfers may take, wherever
// the collector happens to be.
const growthBytesMax = 150 * MiB;
const pollMilliseconds = 100;

describe('an image that is larger than the memory it may take', () => {
  let deployment: Deployment;
  let services: readonly Service[];
  let idleBytes: readonly number[];
  let source: string;
  let target: string;
  let client: ImagesClient;

  before(async () => {
    deployment = await Deployment.start();
    services = [deployment.daemon, deployment.proxy];
    source = deployment.folder.file('source');
    target = deployment.folder.file('target');
    // Random bytes with a hole in the middle, as images have them.
    const partBytes = Math.floor((imageBytes * 3) / 8 / MiB) * MiB;
    await writeSparseImage(source, imageBytes, [
      { offsetBytes: 0, lengthBytes: partBytes },
      { offsetBytes: imageBytes - partBytes, lengthBytes: partBytes },
    ]);
    await writeSparseImage(target, 0, []);
    idleBytes = services.map(({ program }) => program.residentBytes);
  });
  after(async () => {
    client.close();
    await deployment[Symbol.asyncDispose]();
  });

  const assertBounded = () => {
    services.forEach(({ role, program }, index) => {
      const growthBytes = program.residentBytesMax - (idleBytes[index] ?? 0);
      assert.ok(growthBytes < growthBytesMax, `the ${role} grew by ${Math.round(growthBytes / MiB)} MiB`);
    });
  };

  test('is uploaded in one request, whose progress the engine sees all the while', async () => {
    const { vdsm } = deployment.daemon;
    const ticketId = await deployment.addTicket('write', target, imageBytes);
    const headers = { Authorization: deployment.signTicket(ticketId) };
    client = new ImagesClient(deployment.proxy.address('remote'), { headers });
    const progress: number[] = [];
    const uploading = { ended: false };
    const upload = client.upload(ticketId, source, { flushEach: true }).finally(() => {
      uploading.ended = true;
    });
    const watch = async () => {
      while (!uploading.ended) {
        progress.push((await vdsm.getTicket(ticketId)).transferred ?? -1);
        await delay(pollMilliseconds);
      }
    };
    await Promise.all([upload, watch()]);
    assert.deepEqual(
      progress,
      progress.toSorted((a, b) => a - b),
    );
    const between = new Set(progress.filter((bytes) => bytes > 0 && bytes < imageBytes));
    assert.ok(between.size >= 3, `progress was seen as ${progress.join(', ')}`);
    assert.equal((await vdsm.getTicket(ticketId)).transferred, imageBytes);
    await vdsm.removeTicket(ticketId);
    await assertSameImage(target, source);
    assertBounded();
  });

  test('is downloaded in one request', async () => {
    await rm(target);
    const ticketId = await deployment.addTicket('read', source, imageBytes);
    client.close();
    const headers = { Authorization: deployment.signTicket(ticketId) };
    client = new ImagesClient(deployment.proxy.address('remote'), { headers });
    await client.download(ticketId, target);
    const transferred = await eventually(async () => {
      const found = await deployment.daemon.vdsm.getTicket(ticketId);
      return found.active ? undefined : found.transferred;
    }, 'no operation is running');
    assert.equal(transferred, imageBytes);
    await assertSameImage(target, source);
    assertBounded();
  });

  test('takes no memory while the client does not read it', async () => {
    const ticketId = await deployment.addTicket('read', source, imageBytes);
    const headers = { Authorization: deployment.signTicket(ticketId) };
    const response = await client.open('GET', imagePath(ticketId), { headers });
    // Until the sockets are full: then what was sent stays the same.
    let sentBytes = -1;
    const stoppedAt = await eventually(
      async () => {
        const { transferred = 0 } = await deployment.daemon.vdsm.getTicket(ticketId);
        const still = transferred > 0 && transferred === sentBytes;
        sentBytes = transferred;
        return still ? transferred : undefined;
      },
      'the daemon has stopped sending',
      { intervalMs: 500 },
    );
    assert.ok(stoppedAt < imageBytes / 2, `${stoppedAt} bytes were sent to nobody`);
    response.destroy();
    assertBounded();
  });
});

// What the proxy may take for 32 transfers at once, everything included.
const residentBytesMax = 300 * MiB;
const bodyBytes = 256 * MiB;
const slowBytesPerSecond = MiB;
// Of an upload that shares the machine with all others.
const deadlineMs = 300_000;

describe('32 transfers of 256 MiB at once, half of them to slow readers', () => {
  let deployment: Deployment;
  let client: ImagesClient;
  before(async () => {
    deployment = await Deployment.start();
    for (const name of ['source', 'target'])
      await writeSparseImage(deployment.folder.file(name), bodyBytes, []);
  });
  after(async () => {
    client.close();
    await deployment[Symbol.asyncDispose]();
  });

  const addSession = async (operation: 'read' | 'write', name: string): Promise<[string, string]> => {
    const ticketId = await deployment.addTicket(operation, deployment.folder.file(name), bodyBytes);
    return [ticketId, deployment.signTicket(ticketId)];
  };
  /** Reads the whole body; resolves with its length. */
  const drain = async (response: AsyncIterable<Buffer>): Promise<number> => {
    let receivedBytes = 0;
    for await (const { length } of response) receivedBytes += length;
    return receivedBytes;
  };
  /** Reads at a steady pace until told to stop. */
  const sip = async (response: AsyncIterable<Buffer>, stop: AbortSignal): Promise<void> => {
    for await (const { length } of response) {
      if (stop.aborted) break;
      await delay((length / slowBytesPerSecond) * 1000);
    }
  };

  test('take the proxy less than 300 MiB', async (context) => {
    const [sourceId, readSession] = await addSession('read', 'source');
    const [targetId, writeSession] = await addSession('write', 'target');
    client = new ImagesClient(deployment.proxy.address('remote'), { connectionsMax: 32 });
    const download = () =>
      client.open('GET', imagePath(sourceId), { headers: { Authorization: readSession } });
    const stop = new AbortController();
    const slow = await Promise.all(Array.from({ length: 16 }, download));
    const sipping = slow.map((response) => sip(response, stop.signal));
    const chunk = Buffer.alloc(MiB, 'x');
    const upload = async (): Promise<number> => {
      const headers = { Authorization: writeSession, 'Content-Length': bodyBytes };
      const body = Readable.from(Array<Buffer>(bodyBytes / MiB).fill(chunk), { objectMode: false });
      return (await client.request('PUT', imagePath(targetId), { headers, body, deadlineMs })).status;
    };
    const uploads = Array.from({ length: 8 }, upload);
    const downloads = Array.from({ length: 8 }, async () => drain(await download()));
    assert.deepEqual(await Promise.all(downloads), Array<number>(8).fill(bodyBytes));
    assert.deepEqual(await Promise.all(uploads), Array<number>(8).fill(200));
    assert.equal((await deployment.daemon.vdsm.getTicket(sourceId)).active, true);
    stop.abort();
    await Promise.all(sipping);
    const { residentBytesMax: peakBytes } = deployment.proxy.program;
    context.diagnostic(`the proxy took ${Math.round(peakBytes / MiB)} MiB`);
    assert.ok(peakBytes < residentBytesMax, `the proxy took ${Math.round(peakBytes / MiB)} MiB`);
  });
});
