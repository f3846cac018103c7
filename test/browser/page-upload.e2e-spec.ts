import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { assertSameImage, writeSparseImage } from '../support/images.js';
import { needs } from '../support/requirements.js';
import { startUpload, TransferPageScene, waitForDone } from './transfer-page.js';

describe('the page for transfers uploads', { skip: needs('chromium') }, () => {
  let scene: TransferPageScene;
  before(async () => {
    scene = await TransferPageScene.start();
  });
  after(() => scene[Symbol.asyncDispose]());

  test('a sparse disk', async () => {
    const file = scene.deployment.folder.file('disk.raw');
    await writeSparseImage(file, 64 * MiB, [{ offsetBytes: 0, lengthBytes: 8 * MiB }]);
    const image = await scene.target(64 * MiB);
    await using visit = await scene.visit();
    const { page } = visit;
    await startUpload(page, image.link, file);
    console.log(await waitForDone(page));
    await assertSameImage(image.file, file);
    console.log(visit.complaints, visit.origins, page.url());
    console.log(
      scene.deployment.daemon.log
        .slice(-40)
        .map((x) => JSON.stringify(x))
        .join('\n'),
    );
    assert.deepEqual(visit.complaints, []);
  });
});
