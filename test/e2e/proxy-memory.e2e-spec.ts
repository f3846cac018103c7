import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/units.js';
import { ImagesClient } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { assertSameImage, writeSparseImage } from '../support/images.js';
import type { Service } from '../support/processes.js';
import { Deployment } from './deployment.js';

// Far more than any buffer, so that a body that is kept anywhere shows. TEST_IMAGE_MIB=4096 makes it a large one.
const imageBytes = Number(process.env['TEST_IMAGE_MIB'] ?? 512) * MiB;
// What the heap, the buffers and the connections of two transfers may take, wherever the collector happens to be.
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
    const response = await client.open('GET', `/images/${ticketId}`, { headers });
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
