import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { askInstalledDaemon } from './installed-service.js';
import { nodeEnvironment, shell } from './npm.js';

describe('the npm package, installed into an empty folder', () => {
  let folder: TemporaryFolder;
  let packed: readonly string[];
  const program = (name = 'ovirt-imageio'): string => folder.file(`empty/node_modules/.bin/${name}`);
  const run = (...args: readonly string[]): string =>
    execFileSync(program(), args, { env: nodeEnvironment, encoding: 'utf8' });

  before(async () => {
    folder = await TemporaryFolder.create();
    const [description] = JSON.parse(
      shell(`npm pack --json --ignore-scripts --pack-destination '${folder.path}'`, projectRoot),
    ) as { filename: string; files: { path: string }[] }[];
    assert.ok(description);
    packed = description.files.map(({ path }) => path);
    await mkdir(folder.file('empty'));
    shell(`npm install --omit=dev '${folder.file(description.filename)}'`, folder.file('empty'));
  });
  after(async () => folder[Symbol.asyncDispose]());

  test('has the program, the contracts and the licence, and no tests', () => {
    for (const file of [
      'dist/main.js',
      'dist/ctl/main.js',
      'sdk/typescript/dist/src/index.js',
      'openapi/daemon.json',
      'openapi/proxy.json',
      'LICENSE',
      'package.json',
    ]) {
      assert.ok(packed.includes(file), file);
    }
    assert.deepEqual(
      packed.filter((path) => /(^|\/)test\/|^src\/|(?<!\.d)\.ts$|\.spec\.|\.pem$|\.key$/.test(path)),
      [],
    );
  });

  test('tells its version', async () => {
    const { version } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.equal(run('--version'), `${version}\n`);
    const ctl = execFileSync(program('ovirt-imageioctl'), ['--version'], {
      env: nodeEnvironment,
      encoding: 'utf8',
    });
    assert.equal(ctl, `${version}\n`);
  });

  test('shows the configuration of the examples', () => {
    for (const [role, port] of [
      ['daemon', 54322],
      ['proxy', 54323],
    ] as const) {
      const confDir = join(projectRoot, 'packaging', 'examples', role);
      const shown = JSON.parse(run('--show-config', '--role', role, '-c', confDir)) as {
        remote: { port: number };
        metrics: { enable: boolean };
      };
      assert.equal(shown.remote.port, port);
      assert.equal(shown.metrics.enable, true);
    }
  });

  test('is without the packages that only building needs', async () => {
    const installed = await readdir(folder.file('empty/node_modules'));
    assert.ok(installed.includes('fastify'));
    assert.deepEqual(
      installed.filter((name) => ['typescript', 'eslint', 'prettier'].includes(name)),
      [],
    );
  });

  test('serves as a daemon', async () => {
    await using own = await TemporaryFolder.create();
    const { answer, exitCode } = await askInstalledDaemon(
      { command: program(), args: [], env: nodeEnvironment },
      own,
    );
    assert.equal(answer.status, 200);
    assert.equal(`${(JSON.parse(answer.text) as { version: string }).version}\n`, run('--version'));
    assert.equal(exitCode, 0);
  });
});
