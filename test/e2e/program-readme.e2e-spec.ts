import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Program } from '../support/program.js';
import { projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

describe('the README', () => {
  test('has a tour with curl that works as it is written', { skip: needs('bash', 'curl') }, async () => {
    const readme = await readFile(join(projectRoot, 'README.md'), 'utf8');
    const tour = /^```sh tour\n([^]*?)^```$/m.exec(readme)?.[1];
    assert.ok(tour !== undefined);
    await using folder = await TemporaryFolder.create();
    const bash = await Program.start('bash', ['-euo', 'pipefail', '-c', tour], {
      cwd: projectRoot,
      env: { TMPDIR: folder.path },
    });
    const { code } = await bash.waitForExit(60_000);
    assert.equal(code, 0, bash.lastLines(50));
    const output = bash.lines.join('\n');
    // The first bytes of package-lock.json, the extents of the image, and the ticket.
    assert.ok(output.includes('"name": "ovirt-imageio"'), output);
    assert.match(output, /\[\{"start":0,/);
    assert.match(output, /"transferred":[1-9]\d*/);
  });
});
