import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { shellBlocksOf } from '../docs/shell-blocks.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { askInstalledDaemon } from './installed-service.js';
import { nodeEnvironment, shell } from './npm.js';

describe('the npm package, installed into an empty folder', () => {
  let folder: TemporaryFolder;
  let tarball: string;
  let packed: readonly string[];
  const program = (name = 'ovirt-imageio'): string => folder.file(`empty/node_modules/.bin/${name}`);
  const run = (...args: readonly string[]): string =>
    execFileSync(program(), args, { env: nodeEnvironment, encoding: 'utf8' });

  before(async () => {
    folder = await TemporaryFolder.create();
    const script = join(projectRoot, 'scripts', 'npm-package.mjs');
    shell(`'${pinnedNode}' '${script}' --out '${folder.path}'`, projectRoot);
    const version = (await readLock(projectRoot)).version;
    tarball = folder.file(`ovirt-imageio-${version}.tgz`);
    packed = shell(`tar --list --file '${tarball}'`, folder.path)
      .trim()
      .split('\n')
      .map((path) => path.replace(/^package\//, ''));
    await mkdir(folder.file('empty'));
    shell(`npm install --omit=dev '${tarball}'`, folder.file('empty'));
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

  test('has a lockfile without development and without hosts of registries', () => {
    const read = (path: string): Lock =>
      JSON.parse(shell(`tar --extract --to-stdout --file '${tarball}' package/${path}`, folder.path)) as Lock;
    const { packages } = read('npm-shrinkwrap.json');
    assert.ok('node_modules/fastify' in packages);
    for (const [path, { dev, resolved, devDependencies }] of Object.entries(packages))
      assert.deepEqual([path, dev, resolved, devDependencies], [path, undefined, undefined, undefined]);
    assert.equal(read('package.json').devDependencies, undefined);
  });

  test('gets the versions of the lockfile when it is unpacked as docs/operations.md says', async () => {
    const [unpack = '', ...others] = shellBlocksOf(
      'docs/operations.md',
      await readFile(join(projectRoot, 'docs', 'operations.md'), 'utf8'),
    )
      .filter(({ trial }) => trial?.kind === 'run by')
      .map(({ commands }) => commands);
    assert.deepEqual(others, []);
    shell(
      unpack
        .replaceAll('ovirt-imageio-VERSION.tgz', tarball)
        .replaceAll('/usr/local', folder.file('local'))
        .replace('npm install --global', `npm install --global --prefix '${folder.file('local')}'`),
      folder.path,
    );
    const installed = await readLock(
      folder.file('local/lib/ovirt-imageio/node_modules'),
      '.package-lock.json',
    );
    const wanted = Object.entries((await readLock(projectRoot)).packages).filter(
      ([path, { dev, devOptional, optional }]) => path !== '' && !dev && !devOptional && !optional,
    );
    assert.deepEqual(
      wanted.map(([path]) => [path, installed.packages[path]?.version]),
      wanted.map(([path, { version }]) => [path, version]),
    );
    const command = folder.file('local/bin/ovirt-imageio');
    assert.equal(
      execFileSync(command, ['--version'], { env: nodeEnvironment, encoding: 'utf8' }),
      run('--version'),
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

interface Lock {
  readonly version: string;
  readonly devDependencies?: unknown;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly version: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly resolved?: string;
  readonly devDependencies?: unknown;
}

async function readLock(folder: string, name = 'package-lock.json'): Promise<Lock> {
  return JSON.parse(await readFile(join(folder, name), 'utf8')) as Lock;
}
