import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import type { Progress } from '../support/event-client.js';
import { assertSameImage } from '../support/images.js';
import type { Service } from '../support/processes.js';
import { needs } from '../support/requirements.js';
import { ProxiesUnderTest, type DaemonImage } from '../e2e/proxies-under-test.js';
import { EngineUiPage, type FailedChunk } from './engine-ui.page.js';

const chunkBytes = 2 * MiB;

describe('the administration portal in a browser', { skip: needs('chromium') }, () => {
  let fixture: ProxiesUnderTest;
  let proxy: Service;
  let page: EngineUiPage;
  before(async () => {
    [fixture, page] = await Promise.all([ProxiesUnderTest.start(), EngineUiPage.open()]);
    proxy = await fixture.startProxy();
  });
  after(async () => {
    await page[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  function urlOf({ ticketId }: DaemonImage): string {
    return `${proxy.url}${imagePath(ticketId)}`;
  }

  async function openSession(image: DaemonImage): Promise<string> {
    const answer = await page.send('POST', `${proxy.url}/sessions/`, { Authorization: fixture.sign(image) });
    assert.equal(answer.status, 200);
    assert.match(answer.sessionId ?? '', /^[0-9a-f-]{36}$/);
    return answer.sessionId ?? '';
  }

  test('sees that the proxy is there', async () => {
    const answer = await page.send('GET', `${proxy.url}/info/`, {
      'Content-Type': 'text/plain; charset=utf-8',
    });
    assert.equal(answer.status, 200);
    assert.match((JSON.parse(answer.text) as { version: string }).version, /^\d/);
  });

  test('uploads in chunks, after a refused one, a pause in mid-chunk and a resume', async () => {
    const content = randomBytes(4 * chunkBytes + 100 * KiB + 1);
    const file = fixture.folder.file('upload.raw');
    await writeFile(file, content);
    const image = await fixture.addImage(Buffer.alloc(0), { size: content.length });
    const { vdsm } = fixture.daemon;
    const sessionId = await openSession(image);
    const done: number[] = [];
    const failed: FailedChunk[] = [];
    await page.prepareUpload(
      file,
      { url: urlOf(image), headers: { 'Session-Id': sessionId }, chunkBytes },
      {
        chunkDone: async (offset) => {
          done.push(offset);
          if (done.length === 1) await vdsm.extendTicket(image.ticketId, 0);
        },
        chunkFailed: async (chunk) => {
          failed.push(chunk);
          await vdsm.extendTicket(image.ticketId, 300);
        },
      },
    );
    await page.pauseUploadBeyond(2 * chunkBytes);
    assert.equal(await page.runUpload(), 'paused');
    assert.equal((await page.uploadState()).offset, 2 * chunkBytes);
    assert.equal(await page.runUpload(), 'completed');

    assert.equal(failed.length, 1);
    assert.deepEqual([failed[0]?.status, failed[0]?.offset], [403, chunkBytes]);
    assert.match(failed[0]?.text ?? '', /^You are not allowed to access this resource: .*expired/);
    assert.deepEqual(done, [1, 2, 3, 4].map((count) => count * chunkBytes).concat(content.length));
    const { progress, ranges } = await page.uploadState();
    for (const end of done) assert.ok(progress.includes(end), `progress up to ${end}`);
    // A `Range` that the page can read would tell it how much of the chunk was taken.
    assert.deepEqual(new Set(ranges), new Set([null]));
    await assertSameImage(image.file, file);
    const { transferred, active } = await vdsm.getTicket(image.ticketId);
    assert.deepEqual([transferred, active], [content.length, false]);
    assert.equal((await page.send('DELETE', `${proxy.url}/sessions/${sessionId}`)).status, 204);
  });

  test('follows a transfer by an EventSource, until its session is deleted', async () => {
    const image = await fixture.addImage(Buffer.alloc(MiB));
    const sessionId = await openSession(image);
    const seen: { readonly type: string; readonly data: string }[] = [];
    const of = (type: string): Promise<string> =>
      eventually(async () => seen.find((event) => event.type === type)?.data, `the event ${type}`);
    const types = ['progress', 'flushed', 'cancelled'];
    await page.follow(`${urlOf(image)}/events?session_id=${sessionId}`, types, (type, data) => {
      seen.push({ type, data });
    });
    assert.equal((JSON.parse(await of('progress')) as Progress).transferred, 0);
    const client = fixture.client(proxy, { headers: { 'Session-Id': sessionId } });
    await client.write(image.ticketId, Buffer.alloc(64 * KiB, 'x'), 0, true);
    assert.equal((JSON.parse(await of('flushed')) as Progress).durable_bytes, 64 * KiB);
    await page.send('DELETE', `${proxy.url}/sessions/${sessionId}`);
    assert.match((JSON.parse(await of('cancelled')) as Progress).reason ?? '', /the session was deleted$/);
    // It connects again, is refused, and gives up.
    await eventually(
      async () => seen.some(({ data }) => data === '2') || undefined,
      'the EventSource to close',
    );
  });

  test('sends a chunk again that found no proxy, and finishes when it is back', async () => {
    const content = randomBytes(3 * chunkBytes);
    const file = fixture.folder.file('retried.raw');
    await writeFile(file, content);
    const image = await fixture.addImage(Buffer.alloc(0), { size: content.length });
    // What the engine knows, and what a proxy that was restarted does not any more.
    const ticket = {
      uuid: image.ticketId,
      size: content.length,
      ops: ['write'],
      timeout: 300,
      url: `${fixture.daemon.url}/images/${image.ticketId}`,
    } as const;
    // Below the ports that the kernel gives out: nobody takes it while the proxy is away.
    const configuration = { remote: { port: randomInt(20_000, 30_000) } };
    let current = await fixture.startProxy(configuration);
    await current.vdsm.addTicket(ticket);
    const url = `${current.url}${imagePath(image.ticketId)}`;
    const failed: FailedChunk[] = [];
    await page.prepareUpload(
      file,
      { url, headers: {}, chunkBytes },
      {
        chunkDone: async (offset) => {
          if (offset === chunkBytes) await current.stop();
        },
        chunkFailed: async (chunk) => {
          failed.push(chunk);
          current = await fixture.startProxy(configuration);
          await current.vdsm.addTicket(ticket);
        },
      },
    );
    assert.equal(await page.runUpload(), 'completed');
    assert.deepEqual(failed, [{ status: 0, text: '', offset: chunkBytes }]);
    await assertSameImage(image.file, file);
    const { transferred } = await fixture.daemon.vdsm.getTicket(image.ticketId);
    assert.equal(transferred, content.length);
  });

  test('downloads by link into a file with the right name and content', async () => {
    const content = randomBytes(5 * MiB + 3);
    for (const filename of ['disk.raw', 'Größe ‘ディスク’ 100% "1".qcow2']) {
      const image = await fixture.addImage(content, { ops: ['read'], filename });
      const sessionId = await openSession(image);
      const download = await page.download(`${urlOf(image)}?session_id=${sessionId}&close=y`);
      const target = fixture.folder.file('download');
      await download.saveAs(target);
      // Browsers replace what the file system of some desktop does not take.
      assert.equal(download.suggestedFilename(), filename.replaceAll('"', '_'));
      await assertSameImage(target, image.file);
      const { transferred } = await fixture.daemon.vdsm.getTicket(image.ticketId);
      assert.equal(transferred, content.length);
    }
  });

  test('downloads a control ticket by a link with nothing but its id', async () => {
    const image = await fixture.addImage(randomBytes(MiB), { ops: ['read'], filename: 'disk.raw' });
    await proxy.vdsm.addTicket({
      uuid: image.ticketId,
      size: MiB,
      ops: ['read'],
      timeout: 300,
      url: `${fixture.daemon.url}/images/${image.ticketId}`,
    });
    const download = await page.download(`${urlOf(image)}?close=y`);
    const target = fixture.folder.file('download');
    await download.saveAs(target);
    assert.equal(download.suggestedFilename(), 'disk.raw');
    await assertSameImage(target, image.file);
  });

  test('can read why it was refused', async () => {
    const image = await fixture.addImage(Buffer.from('content'), { ops: ['read'] });
    const session = { 'Session-Id': await openSession(image) };
    const another = await fixture.addImage(Buffer.from('content'), { ops: ['read'] });
    const refusals: [string, string, Record<string, string>, number, RegExp][] = [
      ['POST', '/sessions/', { Authorization: 'wrong' }, 401, /Signed ticket/],
      ['POST', '/sessions/', {}, 401, /Neither a signed ticket/],
      ['GET', imagePath(image.ticketId), {}, 401, /No signed ticket and no session/],
      ['GET', imagePath(image.ticketId), { 'Session-Id': crypto.randomUUID() }, 403, /session is unknown/],
      ['GET', imagePath(another.ticketId), session, 400, /must match transfer ticket/],
      ['PUT', imagePath(image.ticketId), session, 403, /not allowed/],
      ['GET', imagePath(image.ticketId), { ...session, Range: 'bytes=7-' }, 416, /range/i],
      ['DELETE', `/sessions/${crypto.randomUUID()}`, {}, 404, /No such session/],
    ];
    for (const [method, path, headers, status, text] of refusals) {
      const answer = await page.send(method, `${proxy.url}${path}`, headers);
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
      assert.match(answer.text, text);
    }
  });
});
