import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { imageio } from '../../src/client/program.js';
import { projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';

const run = promisify(execFile);
const page = join(projectRoot, 'dist', 'client', 'imageio.1');

test('the manual page has no fault and all options', { skip: needs('mandoc') }, async () => {
  // It has no date: the same version is to give the same page.
  const { stdout: faults } = await run('sh', ['-c', 'mandoc -T lint -W warning "$1" || true', 'sh', page]);
  assert.match(faults, /^[^\n]*: missing date, [^\n]*\n$/);
  const { stdout } = await run('mandoc', ['-T', 'utf8', '-O', 'width=1000', page]);
  // Bold and underlined letters are printed twice.
  const text = stdout.replaceAll(/.[\b]/g, '').replaceAll('‐', '-');
  for (const command of imageio().commands) {
    assert.ok(text.includes(`imageio ${command.name()}`), command.name());
    for (const { flags } of command.options) assert.ok(text.includes(flags), flags);
  }
  assert.match(text, /EXIT STATUS[^]* 130 +interrupted; the same command goes on/);
});
