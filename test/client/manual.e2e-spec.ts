import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { imageio } from '../../src/client/program.js';
import { helpText as ctlHelp } from '../../src/ctl/arguments.js';
import { helpText as serviceHelp } from '../../src/process/command-line.js';
import { projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';

const run = promisify(execFile);

/** Without fault, as a terminal shows it. */
async function shown(page: string): Promise<string> {
  const { stdout: faults } = await run('sh', ['-c', 'mandoc -T lint -W warning "$1" || true', 'sh', page]);
  // It has no date: the same version is to give the same page.
  assert.match(faults, /^[^\n]*: missing date, [^\n]*\n$/);
  const { stdout } = await run('mandoc', ['-T', 'utf8', '-O', 'width=1000', page]);
  // Bold and underlined letters are printed twice.
  return stdout.replaceAll(/.[\b]/g, '').replaceAll('‐', '-');
}

describe('a manual page has no fault, and all options', { skip: needs('mandoc') }, () => {
  test('of the client', async () => {
    const text = await shown(join(projectRoot, 'dist', 'client', 'imageio.1'));
    for (const command of imageio().commands) {
      assert.ok(text.includes(`imageio ${command.name()}`), command.name());
      for (const { flags } of command.options) assert.ok(text.includes(flags), flags);
    }
    assert.match(text, /EXIT STATUS[^]* 130 +interrupted; the same command goes on/);
  });

  for (const [page, help] of [
    ['process/ovirt-imageio-ts.8', serviceHelp],
    ['ctl/ovirt-imageioctl-ts.8', ctlHelp],
  ] as const) {
    test(`of ${page}`, async () => {
      const text = await shown(join(projectRoot, 'dist', page));
      for (const title of ['NAME', 'SYNOPSIS', 'OPTIONS', 'EXIT STATUS', 'SEE ALSO'])
        assert.match(text, new RegExp(`^${title}$`, 'm'));
      const rows = help.split('\n').flatMap((line) => /^ {2,6}(\S.*?)(?: {2,}|$)/.exec(line)?.[1] ?? []);
      assert.ok(rows.length > 5);
      const lines = text.split('\n').map((line) => line.trim());
      for (const row of rows)
        assert.ok(
          lines.some((line) => line === row || line.startsWith(`${row} `)),
          row,
        );
      const words = (page: string): string => page.replaceAll(/[^a-z]+/gi, '').toLowerCase();
      // Nothing of what the help says is missing.
      for (const paragraph of help.split('\n\n').slice(2))
        for (const line of paragraph.split('\n').slice(1)) assert.ok(words(text).includes(words(line)), line);
    });
  }
});
