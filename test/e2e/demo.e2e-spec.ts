import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { writeDemoImage } from '../../demo/image.js';
import { KillableBrowser, startUpload, waitForDone } from '../browser/transfer-page.js';
import { assertSameImage } from '../support/images.js';
import { Program } from '../support/program.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

describe('demo', () => {
  test('prints commands that do what they say', { skip: needs('bash', 'curl', 'cmp') }, async () => {
    const demo = await Program.start(pinnedNode, [join(projectRoot, '.build', 'demo', 'main.js'), '--check']);
    await demo.waitForLine((line) => (line.startsWith('==') ? true : undefined), 'the demo to begin');
    // Eight transfers, four of which are slowed down to be interrupted.
    const { code } = await demo.waitForExit(180_000);
    assert.equal(code, 0, demo.lastLines());
  });

  test('prints first of all a link by which a browser uploads', { skip: needs('chromium') }, async () => {
    const demo = await Program.start(pinnedNode, [join(projectRoot, '.build', 'demo', 'main.js')]);
    const folder = await demo.waitForLine(
      (line) => /^Upload demo\.iso of (.*) in the browser/.exec(line)?.[1],
      'the demo to say what to do first',
    );
    const link = await demo.waitForLine(
      (line) => (line.includes('/transfer/#ticket=') ? line : undefined),
      'the link to the page',
    );
    // Not in the folder of the demo, which is removed while the browser still writes there.
    await using profile = await TemporaryFolder.create();
    await using browser = await KillableBrowser.start(profile.path);
    const page = await browser.newPage();
    await startUpload(page, link, join(folder, 'demo.iso'));
    await waitForDone(page, 120_000);
    await assertSameImage(join(folder, 'page-upload.iso'), join(folder, 'demo.iso'));
    demo.signal('SIGINT');
    assert.equal((await demo.waitForExit()).code, 0);
  });

  test('makes an image that isoinfo reads', { skip: needs('isoinfo') }, async () => {
    await using folder = await TemporaryFolder.create();
    const image = folder.file('demo.iso');
    await writeDemoImage(image);
    const isoinfo = async (...args: string[]) =>
      (await promisify(execFile)('isoinfo', ['-i', image, ...args])).stdout;
    const listing = await isoinfo('-l');
    assert.match(listing, / 67108864 .*DATA\.BIN;1/);
    assert.match(listing, /README\.TXT;1/);
    assert.match(await isoinfo('-x', '/README.TXT;1'), /^This volume was moved by ovirt-imageio\./);
  });
});
