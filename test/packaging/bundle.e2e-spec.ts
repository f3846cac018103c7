import assert from 'node:assert/strict';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pinnedNode, projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { askInstalledDaemon } from './installed-service.js';
import { nodeEnvironment } from './npm.js';

/** What is not in the bundle: a native library with its binaries, and the files of Swagger UI. */
const apart = ['koffi', '@koromix', 'swagger-ui-dist'];

describe('the bundle of the program', () => {
  test('serves as a daemon without the packages that it has in itself', async () => {
    await using folder = await TemporaryFolder.create();
    const installed = folder.file('installed');
    await mkdir(join(installed, 'node_modules'), { recursive: true });
    for (const name of ['dist', 'package.json']) {
      await cp(join(projectRoot, name), join(installed, name), { recursive: true });
    }
    for (const name of apart) {
      await symlink(join(projectRoot, 'node_modules', name), join(installed, 'node_modules', name));
    }
    const { answer, exitCode } = await askInstalledDaemon(
      { command: pinnedNode, args: [join(installed, 'dist', 'main.js')], env: nodeEnvironment },
      folder,
    );
    assert.equal(answer.status, 200);
    assert.equal(exitCode, 0);
  });

  test('brings the licences of those packages along', async () => {
    const licences = await readFile(join(projectRoot, 'dist', 'third-party-licenses.txt'), 'utf8');
    for (const name of ['@nestjs/core', 'fastify', 'rxjs', 'validator']) {
      assert.match(licences, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\((MIT|Apache-2\\.0)\\)$`, 'm'));
    }
  });

  test('leaves out what only reads the contract off the code', async () => {
    const licences = await readFile(join(projectRoot, 'dist', 'third-party-licenses.txt'), 'utf8');
    assert.doesNotMatch(licences, /^@nestjs\/swagger /m);
  });
});
