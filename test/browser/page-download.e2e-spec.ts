import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { assertSameImage, writeRandomImage, writeSparseImage } from '../support/images.js';
import { needs } from '../support/requirements.js';
import { answerFileDialogs, copySavedFile } from './file-dialogs.js';
import { KillableBrowser, startUpload, TransferPageScene, waitForDone, waitForEnd } from './transfer-page.js';

const imageBytes = 12 * MiB + 512;

describe('the page for transfers downloads', { skip: needs('chromium') }, () => {
  let scene: TransferPageScene;
  let file: string;
  before(async () => {
    scene = await TransferPageScene.start();
    file = scene.deployment.folder.file('disk.raw');
    await writeSparseImage(file, imageBytes, [
      { offsetBytes: 0, lengthBytes: 5 * MiB },
      { offsetBytes: 8 * MiB, lengthBytes: 4 * MiB + 512 },
    ]);
  });
  after(() => scene[Symbol.asyncDispose]());

  test('to a file that was chosen, and compares digests', async () => {
    const image = await scene.image('read', file, imageBytes, { filename: 'Größe.raw' });
    await using visit = await scene.visit();
    const { page } = visit;
    await answerFileDialogs(page, 'choose');
    await page.goto(image.link);
    await page.locator('#save').click();
    assert.match(await waitForDone(page), /digests of all blocks are equal/);
    const saved = scene.deployment.folder.file('saved.raw');
    assert.equal(await copySavedFile(page, saved), 'Größe.raw');
    await assertSameImage(saved, file);
    assert.deepEqual([visit.complaints, [...visit.origins]], [[], [scene.url]]);
  });

  test('and finds what does not arrive as it is on the disk', async () => {
    const changing = scene.deployment.folder.file('changing.raw');
    await writeRandomImage(changing, imageBytes);
    const image = await scene.image('read', changing, imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await answerFileDialogs(page, 'choose');
    await page.goto(image.link);
    await page.locator('#save').waitFor();
    const held = scene.way.holdAnswersAfter(9 * MiB);
    await page.locator('#save').click();
    await held;
    await using disk = await open(changing, 'r+');
    await disk.write('changed when it had been read', 1000);
    scene.way.release();
    assert.match(await waitForEnd(page), /differs from what was read at 0\+1048576/);
  });

  test('after a pause', async () => {
    const image = await scene.image('read', file, imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await answerFileDialogs(page, 'choose');
    await page.goto(image.link);
    await page.locator('#save').waitFor();
    const held = scene.way.holdAnswersAfter(3 * MiB);
    await page.locator('#save').click();
    await held;
    await page.locator('#pause').click();
    scene.way.release();
    await page.locator('#phase', { hasText: 'Paused' }).waitFor();
    await page.locator('#resume').click();
    await waitForDone(page);
    const saved = scene.deployment.folder.file('paused.raw');
    await copySavedFile(page, saved);
    await assertSameImage(saved, file);
  });

  test('by a link where the browser cannot write to files', async () => {
    const image = await scene.image('read', file, imageBytes, { filename: 'disk.raw' });
    await using visit = await scene.visit();
    const { page } = visit;
    await answerFileDialogs(page, 'none');
    await page.goto(image.link);
    await page.locator('#link').waitFor();
    assert.equal(await page.locator('#save').isVisible(), false);
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#link').click()]);
    const saved = scene.deployment.folder.file('linked.raw');
    await download.saveAs(saved);
    assert.equal(download.suggestedFilename(), 'disk.raw');
    await assertSameImage(saved, file);
  });

  test('and uploads by the address of an image, without a session', async () => {
    const source = scene.deployment.folder.file('source.raw');
    await writeRandomImage(source, imageBytes);
    const image = await scene.target(imageBytes);
    await scene.deployment.proxy.vdsm.addTicket({
      uuid: image.ticketId,
      size: imageBytes,
      ops: ['write'],
      timeout: 300,
      url: `${scene.deployment.daemon.url}/images/${image.ticketId}`,
    });
    await using visit = await scene.visit();
    const { page } = visit;
    const before = scene.deployment.proxy.log.length;
    await startUpload(page, `${scene.url}/transfer/#url=${scene.url}/images/${image.ticketId}`, source);
    await waitForDone(page);
    await assertSameImage(image.file, source);
    const opened = scene.deployment.proxy.log.slice(before).some(({ route }) => route === '/sessions');
    assert.equal(opened, false);
  });

  test('and uploads again what it has saved, also when the browser was killed meanwhile', async () => {
    const profile = scene.deployment.folder.file('profile');
    const image = await scene.target(imageBytes);
    {
      await using browser = await KillableBrowser.start(profile);
      const page = await browser.newPage();
      await answerFileDialogs(page, 'choose');
      await page.goto((await scene.image('read', file, imageBytes, { filename: 'disk.raw' })).link);
      await page.locator('#save').click();
      await waitForDone(page);
      await page.goto(image.link);
      await page.locator('#choose').click();
      await page.getByText('disk.raw, 12.0 MiB').waitFor();
      const held = scene.way.holdAfter(4 * MiB);
      await page.locator('#start').click();
      await held;
      await browser.kill();
    }
    scene.way.cut();
    scene.way.release();
    await using browser = await KillableBrowser.start(profile);
    const page = await browser.newPage();
    await page.goto(`${scene.url}/transfer/`);
    await page.getByRole('button', { name: 'Go on' }).click();
    // The browser has kept where the file is: it need not be chosen again.
    await page.locator('#start').click();
    await waitForDone(page);
    await assertSameImage(image.file, file);
  });

  test('nothing when the dialog is closed without a choice', async () => {
    const image = await scene.image('read', file, imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await answerFileDialogs(page, 'dismiss');
    await page.goto(image.link);
    await page.locator('#save').click();
    assert.equal(await page.locator('#disk-step').isVisible(), true);
    assert.equal(await page.locator('#notice').isVisible(), false);
  });
});
