import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { writeDemoImage } from '../../demo/image.js';
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
