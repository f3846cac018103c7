import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Pki } from '../support/pki.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { PythonService } from '../support/python-service.js';
import { needsPythonTool } from '../support/python-tools.js';
import { needs } from '../support/requirements.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { shellBlocksOf } from '../docs/shell-blocks.js';
import { needsOwnMachine } from '../docs/own-machine.js';
import { serveThroughUpgrade, transferAsVdsmAndEngine } from './installed-hosts.js';
import { lineOfOlderUnit, makeOlderTree, moduleOfOlder, olderVersion } from './older-release.js';
import { buildPythonPackages, pythonLibrary, pythonPackageNames } from './python-packages.js';
import { packageTools, ThrowAwayRoot, type PackageFormat } from './throw-away-root.js';

const execute = promisify(execFile);
const ownName = 'ovirt-imageio-ts';
const needsRoot = process.geteuid?.() === 0 ? false : 'needs root';

const { version: ownVersion } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
  version: string;
};

/** The commands of docs/migration.md, in their order. */
const [look = '', change = '', back = ''] = shellBlocksOf(
  'docs/migration.md',
  readFileSync(join(projectRoot, 'docs', 'migration.md'), 'utf8'),
)
  .filter(({ trial }) => trial?.kind === 'run by')
  .map(({ commands }) => commands);

const formats = ['deb', 'rpm'] as const;
const skip =
  needsRoot ||
  needs(
    ...formats.flatMap((format) => packageTools[format]),
    'chroot',
    'systemctl',
    'systemd-sysusers',
    'strip',
  ) ||
  needsPythonTool('ovirt-imageio', 'ovirt-img');

/** What running the service of an installed unit takes. */
const skipServices = needsOwnMachine() || needs('curl', 'openssl', 'nsenter', 'setpriv');

describe('npm run package', { skip }, () => {
  let folder: TemporaryFolder;
  before(async () => {
    folder = await TemporaryFolder.create('imageio-packages-');
    makeOlderTree(folder.file('older-tree'));
    const build = (tree: string, out: string): Promise<unknown> => {
      const script = join(tree, 'scripts', 'package.mjs');
      return execute(pinnedNode, [script, '--out', folder.file(out), '--compression-level', '1']);
    };
    await Promise.all([build(projectRoot, 'own'), build(folder.file('older-tree'), 'older')]);
  });
  after(() => folder[Symbol.asyncDispose]());

  for (const format of formats) testPackage(format, () => folder);
});

function testPackage(format: PackageFormat, place: () => TemporaryFolder): void {
  describe(`its ${format}`, () => {
    let folder: TemporaryFolder;
    let own: string;
    let older: string;
    let python: readonly string[];
    let installed: ThrowAwayRoot;
    before(() => {
      folder = place();
      python = buildPythonPackages(format, folder.path);
      const built = (place: string): string =>
        join(place, readdirSync(place).find((name) => name.endsWith(`.${format}`)) ?? 'none');
      own = built(folder.file('own'));
      older = built(folder.file('older'));
      installed = new ThrowAwayRoot(folder.file(`installed-${format}`), format);
      installed.install(own);
    });

    test('stands beside the Python service, takes its place, is upgraded, goes without a trace', async () => {
      const root = new ThrowAwayRoot(folder.file(`beside-${format}`), format);
      root.install(...python);
      root.run('systemctl', 'enable', 'ovirt-imageio.service');
      const pythonFiles = root.files();
      root.install(own);
      assertKept(root, pythonFiles);
      for (const name of pythonPackageNames) assert.equal(root.changedFiles(name), '', name);
      assert.equal(root.changedFiles(ownName), '');
      assert.equal(root.run('sh', '-c', look), 'python\n');
      assert.match(readFileSync(root.file('etc/passwd'), 'utf8'), /^ovirtimg:/m);

      root.run('sh', '-c', change);
      assertKept(root, pythonFiles, ['etc/systemd']);
      assert.equal(unitFile(root, 'ovirt-imageio.service'), '/etc/systemd/system/ovirt-imageio.service');
      // What engine-setup and the deployment of hosts do with the name.
      root.run('systemctl', 'enable', 'ovirt-imageio.service');
      assert.equal(root.run('systemctl', 'is-enabled', 'ovirt-imageio.service'), 'enabled\n');
      assert.equal(root.run('systemctl', 'is-enabled', 'ovirt-imageio.socket'), 'enabled\n');

      root.install(own);
      root.run('sh', '-c', back);
      assertKept(root, pythonFiles);
      assert.equal(root.run('sh', '-c', look), 'python\n');
      root.run('ovirt-imageio-switch', 'engine');
      assert.ok(!existsSync(root.file('etc/systemd/system/ovirt-imageio.socket')));

      root.remove(ownName);
      const left = [...root.files()].filter(
        ([path, facts]) => !pythonFiles.has(path) && !facts.startsWith('4'),
      );
      assert.deepEqual(
        left.map(([path]) => path).filter((path) => !accountFiles.test(path)),
        [],
      );
      assert.ok(!existsSync(root.file(`usr/lib/${ownName}`)));
      assertKept(root, pythonFiles);
      assert.equal(unitFile(root, 'ovirt-imageio.service'), '/usr/lib/systemd/system/ovirt-imageio.service');
      assert.equal(root.run('systemctl', 'is-enabled', 'ovirt-imageio.service'), 'enabled\n');
      await assertPythonServes(root, folder.file(`serves-${format}`));
    });

    test('is there before the Python service, which comes and goes', () => {
      const root = installed;
      root.run('ovirt-imageio-switch', 'host');
      const ownFiles = root.files();
      root.install(...python);
      assertKept(root, ownFiles);
      assert.equal(root.changedFiles(ownName), '');
      for (const name of pythonPackageNames) assert.equal(root.changedFiles(name), '', name);
      assert.equal(unitFile(root, 'ovirt-imageio.service'), '/etc/systemd/system/ovirt-imageio.service');
      root.remove(...pythonPackageNames.toReversed());
      assertKept(root, ownFiles);
      assert.equal(root.changedFiles(ownName), '');
    });

    test('keeps choice and configuration when it is downgraded and upgraded', async () => {
      const root = installed;
      const unit = 'etc/systemd/system/ovirt-imageio.service';
      root.run('ovirt-imageio-switch', 'host');
      writeFileSync(root.file('etc/ovirt-imageio/conf.d/99-own.conf'), '[limits]\nconnections = 100\n');
      writeFileSync(root.file(`${unit}.d/override.conf`), '[Service]\nReadWritePaths=/srv\n');
      const ownFiles = root.files();
      const changeTo = (version: string, install: () => string): void => {
        const said = install();
        const home = root.file(`usr/lib/${ownName}`);
        const { stdout } = spawnSync(join(home, 'bin/ovirt-imageio'), ['--version'], { encoding: 'utf8' });
        assert.equal(stdout, `${version}\n`);
        assert.equal(existsSync(join(home, moduleOfOlder)), version === olderVersion);
        assert.equal(
          readFileSync(root.file(unit), 'utf8').includes(lineOfOlderUnit),
          version === olderVersion,
        );
        assert.equal(root.run('ovirt-imageio-switch', 'status'), 'host\n');
        assert.equal(root.changedFiles(ownName), '');
        assert.match(said, new RegExp(`^ovirt-imageio.service has the units of ${version}, `, 'm'));
      };

      if (format === 'rpm') assert.throws(() => root.install(older), /which is newer than/);
      changeTo(olderVersion, () => root.downgrade(older));
      assertKept(root, ownFiles, [unit]);
      const upgrade = (): void => {
        changeTo(ownVersion, () => root.install(own));
      };
      if (format === 'deb' && !skipServices) {
        const releases = { before: olderVersion, after: ownVersion };
        await serveThroughUpgrade(root, folder, releases, upgrade);
      } else upgrade();
      assertKept(root, ownFiles);
    });

    if (format === 'deb')
      test(
        'runs as on a host and as beside an engine: 1 GiB of the Python client goes there and back',
        { skip: skipServices },
        () => transferAsVdsmAndEngine(installed, folder),
      );
  });
}

/** What stays when the package goes: whoever owns files keeps a name. */
const accountFiles = /^etc\/(passwd|group|shadow|gshadow|\.pwd\.lock)-?$/;

/** That every file is as it was, but for accounts and what is below the folders `but`. */
function assertKept(
  root: ThrowAwayRoot,
  files: ReadonlyMap<string, string>,
  but: readonly string[] = [],
): void {
  const now = root.files();
  const changed = [...files]
    .filter(([path]) => !accountFiles.test(path) && !but.some((folder) => path.startsWith(folder)))
    .filter(([path, facts]) => now.get(path) !== facts);
  assert.deepEqual(changed, []);
}

/** The file that systemd takes for a unit, by its own rules. */
function unitFile(root: ThrowAwayRoot, unit: string): string | undefined {
  const folders = ['etc/systemd/system', 'usr/lib/systemd/system'].map((folder) => root.file(folder));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  const { stdout } = spawnSync('systemd-analyze', ['unit-files'], {
    env: { ...process.env, SYSTEMD_UNIT_PATH: folders.join(':') },
    encoding: 'utf8',
  });
  return new RegExp(`^ids: ${unit} → (.*)$`, 'm').exec(stdout)?.[1]?.slice(root.path.length);
}

/** Starts what is installed in the root, with its own library. */
async function assertPythonServes(root: ThrowAwayRoot, place: string): Promise<void> {
  mkdirSync(place);
  const pki = await Pki.create(join(place, 'pki'));
  await using service = await PythonService.start(place, pki, {
    command: root.file('usr/bin/ovirt-imageio'),
    env: { PYTHONPATH: root.file(pythonLibrary) },
  });
  assert.equal((await service.vdsm.request('GET', '/tickets/none')).status, 404);
}
