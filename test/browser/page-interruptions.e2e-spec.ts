import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import { needs } from '../support/requirements.js';
import { chooseFile, TransferPageScene, waitForDone, waitForEnd, type SceneImage } from './transfer-page.js';

const imageBytes = 12 * MiB;
const middleBytes = 5.5 * MiB;
/** The long form: `IMAGEIO_CUT_SECONDS=20`. */
const cutSeconds = Number(process.env['IMAGEIO_CUT_SECONDS'] ?? 3);
/** After a cut it may be as long again until it is tried once more. */
const patienceMs = (60 + 2 * cutSeconds) * 1000;

describe('the page for transfers, when something comes in between,', { skip: needs('chromium') }, () => {
  let scene: TransferPageScene;
  let file: string;
  before(async () => {
    scene = await TransferPageScene.start();
    file = scene.deployment.folder.file('disk.raw');
    await writeRandomImage(file, imageBytes);
  });
  after(() => scene[Symbol.asyncDispose]());

  /** Its signature is of something else. */
  function forged(signedTicket: string): string {
    const ticket = JSON.parse(Buffer.from(signedTicket, 'base64').toString()) as Record<string, string>;
    const signature = Buffer.from(ticket['v2_signature'] ?? '', 'base64');
    signature.writeUInt8(signature.readUInt8() ^ 1);
    return Buffer.from(JSON.stringify({ ...ticket, v2_signature: signature.toString('base64') })).toString(
      'base64',
    );
  }

  test('waits while the computer is offline, and goes on', async () => {
    const image = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page, context } = visit;
    await scene.startHeldUpload(page, image.link, file, middleBytes);
    const { targetPort } = scene.way;
    await context.setOffline(true);
    scene.way.targetPort = undefined;
    scene.way.cut();
    await page.getByText('This computer is offline').waitFor();
    await setTimeout(cutSeconds * 1000);
    scene.way.targetPort = targetPort;
    scene.way.release();
    await context.setOffline(false);
    await waitForDone(page, patienceMs);
    await assertSameImage(image.file, file);
  });

  test('waits for a ticket that has expired, and goes on when it is extended', async () => {
    const image = await scene.target(imageBytes);
    const { vdsm } = scene.deployment.daemon;
    await using visit = await scene.visit();
    const { page } = visit;
    await scene.startHeldUpload(page, image.link, file, middleBytes);
    await vdsm.extendTicket(image.ticketId, 0);
    scene.way.release();
    await page.getByText('Ticket expired').waitFor();
    await page.getByText('Ask whoever gave it to you to extend it').waitFor();
    await vdsm.extendTicket(image.ticketId, 300);
    // By now it may have been tried again by itself.
    await page.locator('#try-now').dispatchEvent('click');
    await waitForDone(page, patienceMs);
    await assertSameImage(image.file, file);
  });

  test('goes on in another session when the proxy was restarted', async () => {
    const image = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await scene.startHeldUpload(page, image.link, file, middleBytes);
    await scene.deployment.proxy.program.kill();
    scene.way.release();
    await page.getByText('The service cannot be reached').waitFor();
    await scene.deployment.restart('proxy');
    await waitForDone(page, patienceMs);
    await assertSameImage(image.file, file);
  });

  test('goes on with a new ticket when the signed one has ended', async () => {
    const image = await scene.target(imageBytes);
    const shortLived = scene.deployment.engine.signTransfer({
      ticketId: image.ticketId,
      imagedUri: scene.deployment.daemon.url,
      lifetimeSeconds: 4,
    });
    await using visit = await scene.visit();
    const { page } = visit;
    await scene.startHeldUpload(page, scene.linkOf(shortLived), file, middleBytes);
    await setTimeout(4000);
    scene.way.release();
    await page.getByText('The signed ticket has ended').waitFor();
    await page.goto(image.link);
    await waitForDone(page, patienceMs);
    await assertSameImage(image.file, file);
  });

  test('says why a ticket is not taken', async () => {
    const image = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await page.goto(scene.linkOf(forged(image.signedTicket)));
    assert.match(await waitForEnd(page), /Signed ticket: .*\n+The signed ticket is not valid/);
    assert.equal(new URL(page.url()).hash, '');
    await page.locator('#end-other').click();
    await page.locator('#ticket').fill('no ticket');
    await page.locator('#ticket-use').click();
    await page.getByText('This is neither a signed ticket nor the address of an image').waitFor();
    await page.locator('#ticket').fill('https://elsewhere.example/images/1');
    await page.locator('#ticket-use').click();
    await page.getByText('This address is of another service, https://elsewhere.example').waitFor();
    const gone = await scene.target(imageBytes);
    await scene.deployment.daemon.vdsm.removeTicket(gone.ticketId);
    await page.locator('#ticket').fill(gone.signedTicket);
    await page.locator('#ticket-use').click();
    assert.match(await waitForEnd(page), /No such ticket\n+The service does not know the ticket/);
    assert.deepEqual([...visit.origins], [scene.url]);
  });

  test('takes a ticket from a file', async () => {
    const image: SceneImage = await scene.target(imageBytes);
    await using visit = await scene.visit();
    const { page } = visit;
    await page.goto(`${scene.url}/transfer/`);
    const buffer = Buffer.from(`${image.signedTicket}\n`);
    await page.setInputFiles('#ticket-file', { name: 'disk.ticket', mimeType: 'text/plain', buffer });
    await page.getByText('Upload to a disk of 12 MiB').waitFor();
  });

  test('sends nothing to a disk that is too small', async () => {
    const image = await scene.target(imageBytes - MiB);
    await using visit = await scene.visit();
    const { page } = visit;
    await chooseFile(page, image.link, file);
    await page.locator('#start').click();
    assert.match(await waitForEnd(page), /12582912 bytes.*11534336[^]*Nothing was changed/);
    assert.deepEqual(scene.writesTo(image), []);
  });
});
