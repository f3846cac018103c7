import assert from 'node:assert/strict';
import { appendFile, copyFile, utimes } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { Dialog } from 'playwright-core';
import { GiB, KiB, MiB } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import { assertSameImage, writeRandomImage, writeSparseImage } from '../support/images.js';
import { needs } from '../support/requirements.js';
import {
  chooseFile,
  goOnWith,
  KillableBrowser,
  startUpload,
  TransferPageScene,
  waitForDone,
  waitForEnd,
  writtenTwice,
  type SceneImage,
} from './transfer-page.js';

const imageBytes = 12 * MiB;
/** In the middle of an upload, and not at the end of a piece. */
const middleBytes = 5.5 * MiB;

describe('the page for transfers uploads', { skip: needs('chromium') }, () => {
  let scene: TransferPageScene;
  let file: string;
  before(async () => {
    scene = await TransferPageScene.start();
    file = scene.deployment.folder.file('disk.raw');
    await writeRandomImage(file, imageBytes);
  });
  after(() => scene[Symbol.asyncDispose]());

  /** What the daemon has finished of an upload that is held; nothing more comes. */
  async function settledWrites(image: SceneImage): Promise<ReturnType<typeof scene.writesTo>> {
    let before = -1;
    return eventually(
      () => {
        const writes = scene.writesTo(image);
        if (writes.length > 0 && writes.length === before) return writes;
        before = writes.length;
        return undefined;
      },
      'the upload is in its middle',
      { intervalMs: 300 },
    );
  }

  test('of a sparse disk of a gigabyte no more than its data', async () => {
    const sparse = scene.deployment.folder.file('sparse.raw');
    const data = [
      { offsetBytes: 0, lengthBytes: 24 * MiB },
      { offsetBytes: 300 * MiB + 256 * KiB, lengthBytes: 7 * MiB },
      { offsetBytes: GiB - MiB, lengthBytes: MiB },
    ];
    const dataBytes = data.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    await writeSparseImage(sparse, GiB, data);
    const image = await scene.target(GiB);
    await using visit = await scene.visit();
    const before = scene.way.passedBytes;
    await startUpload(visit.page, image.link, sparse);
    const words = await waitForDone(visit.page, 120_000);
    const sentBytes = scene.way.passedBytes - before;
    assert.match(words, /32 MiB of data .*\n+The digests of all blocks are equal on both sides/);
    assert.ok(sentBytes <= dataBytes * 1.01, `${sentBytes} bytes were sent for ${dataBytes} of data`);
    await assertSameImage(image.file, sparse);
    assert.deepEqual([visit.complaints, [...visit.origins]], [[], [scene.url]]);
  });

  test('after a pause', async () => {
    const image = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await scene.startHeldUpload(page, image.link, file, middleBytes);
    await page.locator('#pause').click();
    await page.locator('#phase', { hasText: 'Paused' }).waitFor();
    scene.way.release();
    const there = await settledWrites(image);
    const thereBytes = there.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    assert.ok(thereBytes < imageBytes, `${thereBytes} bytes`);
    await page.locator('#resume').click();
    await waitForDone(page);
    await assertSameImage(image.file, file);
    assert.equal(writtenTwice(there, scene.writesTo(image).slice(there.length)), 0);
  });

  /** The page goes, and then what was held: the upload cannot end before. */
  const leave = async (dialog: Dialog): Promise<void> => {
    await dialog.accept();
    scene.way.release();
  };

  test('after the page was loaded again, and sends nothing twice', async () => {
    const image = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await scene.startHeldUpload(page, image.link, file, middleBytes);
    let asked = false;
    page.on('dialog', (dialog) => {
      asked = dialog.type() === 'beforeunload';
      void leave(dialog);
    });
    await page.reload();
    assert.ok(asked, 'the page asks before it is left');
    const there = await settledWrites(image);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText(/An upload of disk\.raw to this disk was interrupted/).waitFor();
    await page.setInputFiles('#file', file);
    await page.locator('#start').click();
    await waitForDone(page);
    await assertSameImage(image.file, file);
    const again = scene.writesTo(image).slice(there.length);
    assert.equal(writtenTwice(there, again), 0);
    assert.ok(again.length > 0 && there.length > 0);
    // Nothing is left to go on with.
    await page.locator('#end-other').click();
    await page.locator('#ticket-step').waitFor();
    assert.equal(await page.locator('#unfinished').isVisible(), false);
  });

  test('after the browser was killed and started again', async () => {
    const image = await scene.target(imageBytes);
    const profile = scene.deployment.folder.file('profile');
    {
      await using browser = await KillableBrowser.start(profile);
      await scene.startHeldUpload(await browser.newPage(), image.link, file, middleBytes);
      await browser.kill();
    }
    scene.way.cut();
    scene.way.release();
    const there = await settledWrites(image);
    await using browser = await KillableBrowser.start(profile);
    const page = await browser.newPage();
    await page.goto(`${scene.url}/transfer/`);
    await page.getByRole('button', { name: 'Go on' }).click();
    await goOnWith(page, file);
    await waitForDone(page);
    await assertSameImage(image.file, file);
    assert.equal(writtenTwice(there, scene.writesTo(image).slice(there.length)), 0);
  });

  test('nothing more of a file that has changed meanwhile', async () => {
    const changing = scene.deployment.folder.file('changing.raw');
    await copyFile(file, changing);
    const image = await scene.target(2 * imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await scene.startHeldUpload(page, image.link, changing, middleBytes);
    await page.locator('#pause').click();
    scene.way.release();
    await appendFile(changing, 'changed');
    await page.locator('#resume').click();
    assert.match(await waitForEnd(page), /The source has changed since the transfer began/);
    // Nor when it is chosen again.
    const before = scene.writesTo(image).length;
    await page.locator('#again').click();
    await goOnWith(page, changing);
    assert.match(await waitForEnd(page), /The source has changed since the transfer began/);
    assert.equal(scene.writesTo(image).length, before);
    // Anew it can be uploaded.
    await page.locator('#again').click();
    await goOnWith(page, changing, '#anew');
    await waitForDone(page);
  });

  test('nothing more of a file whose content alone has changed', async () => {
    const kept = scene.deployment.folder.file('kept.raw');
    const at = new Date('2026-01-01T00:00:00Z');
    await writeRandomImage(kept, imageBytes);
    await utimes(kept, at, at);
    const image = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await scene.startHeldUpload(page, image.link, kept, middleBytes);
    page.on('dialog', (dialog) => void leave(dialog));
    await page.reload();
    await writeRandomImage(kept, imageBytes);
    await utimes(kept, at, at);
    await chooseFile(page, image.link, kept);
    await page.locator('#start').click();
    assert.match(await waitForEnd(page), /The source has changed since the transfer began/);
  });

  test('in one of two tabs, and tells the other', async () => {
    const image = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    const other = await visit.anotherTab();
    await chooseFile(other, image.link, file);
    await scene.startHeldUpload(page, image.link, file, middleBytes);
    await other.locator('#start').click();
    assert.match(await waitForEnd(other), /in another tab or window/);
    scene.way.release();
    await waitForDone(page);
    await other.getByText('The transfer in the other tab is over').waitFor();
    await assertSameImage(image.file, file);
  });

  test('until it is cancelled, and forgets it', async () => {
    const image = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await scene.startHeldUpload(page, image.link, file, middleBytes);
    await page.locator('#cancel').click();
    await page.locator('#cancel-yes').click();
    scene.way.release();
    assert.match(await waitForEnd(page), /Cancelled/);
    await page.locator('#end-other').click();
    await page.locator('#ticket-step').waitFor();
    assert.equal(await page.locator('#unfinished').isVisible(), false);
  });
});
