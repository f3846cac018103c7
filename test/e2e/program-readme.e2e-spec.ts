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

  for (const page of ['README.md', 'docs/quick-start.md', 'docs/architecture.md', 'docs/development.md']) {
    test(`${page} links to files that exist`, async () => {
      const text = await readFile(join(projectRoot, page), 'utf8');
      const links = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, link]) => link ?? '');
      const base = new URL(`file://${join(projectRoot, page)}`);
      for (const link of links.filter((candidate) => !/^https?:/.test(candidate)))
        await readFile(new URL(link, base)).catch((error: unknown) => {
          // A folder is there, though it cannot be read like a file.
          if (!(error instanceof Error && 'code' in error && error.code === 'EISDIR'))
            throw new Error(`${page} links to ${link}`, { cause: error });
        });
    });
  }
});
