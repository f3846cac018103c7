import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const units = ['ovirt-imageio.service', 'ovirt-imageio-proxy.service'];
/** Of the daemon. */
const socketUnit = 'host/ovirt-imageio.socket';
const skip = needs('systemd-analyze');
/** In tenths of systemd's scale from 0, closed, to 10, open. */
const exposureMax = 20;
const operationsPage = readFileSync(join(projectRoot, 'docs', 'operations.md'), 'utf8');

function systemdVersion(): string {
  return spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' }).stdout;
}

function read(unit: string): string {
  return readFileSync(join(projectRoot, 'packaging', 'systemd', unit), 'utf8');
}

function setting(unit: string, name: string): string | undefined {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(read(unit))?.[1];
}

/** systemd looks for programs, which are not installed where tests run. */
function withPrograms(text: string): string {
  return text.replaceAll(/\/usr\/lib\/ovirt-imageio-ts\/bin\/[\w-]+/g, pinnedNode);
}

function assertVerified(file: string): void {
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
}

describe('the systemd units', () => {
  for (const unit of units) {
    test(`are accepted by systemd: ${unit}`, { skip }, async () => {
      await using folder = await TemporaryFolder.create();
      const text = withPrograms(read(unit));
      assert.notEqual(text, read(unit));
      await writeFile(folder.file(unit), text);
      assertVerified(folder.file(unit));
    });

    test(`leave little open: ${unit}`, { skip }, () => {
      const { status, stdout } = spawnSync(
        'systemd-analyze',
        [
          'security',
          '--offline=true',
          '--no-pager',
          `--threshold=${exposureMax}`,
          join(projectRoot, 'packaging', 'systemd', unit),
        ],
        { encoding: 'utf8' },
      );
      assert.equal(status, 0, stdout);
      const exposure = /Overall exposure level for .*: ([\d.]+)/.exec(stdout)?.[1] ?? 'unknown';
      const [, documentedRelease = ''] = /\(systemd (\d+)\)/.exec(operationsPage) ?? [];
      // Other releases of systemd weigh other things.
      if (!systemdVersion().startsWith(`systemd ${documentedRelease} `)) return;
      const role = unit.includes('proxy') ? 'proxy' : 'daemon';
      assert.ok(operationsPage.includes(`the ${role} ${exposure}`), `${role}: ${exposure}`);
    });

    test(`wait until the service is ready, and longer than its grace when it stops: ${unit}`, () => {
      const role = unit.includes('proxy') ? 'proxy' : 'daemon';
      const { config } = loadConfig({
        role,
        confDir: join(projectRoot, 'packaging', 'examples', role),
        vendorDir: '/nonexistent',
        environment: {},
      });
      assert.equal(setting(unit, 'Type'), 'notify');
      assert.ok(config.daemon.systemdEnable);
      assert.ok(Number(setting(unit, 'TimeoutStopSec')) > config.limits.graceSeconds);
      assert.match(setting(unit, 'ExecStart') ?? '', new RegExp(`--role ${role}$`));
    });

    test(`run as the user, and make the folder, that the configuration expects: ${unit}`, () => {
      const users = readFileSync(join(projectRoot, 'packaging/sysusers.d/ovirt-imageio.conf'), 'utf8');
      const { config } = loadConfig({
        role: 'daemon',
        confDir: join(projectRoot, 'packaging', 'examples', 'daemon'),
        vendorDir: '/nonexistent',
        environment: {},
      });
      const user = setting(unit, 'User');
      assert.equal(user, config.daemon.userName);
      assert.match(users, new RegExp(`^u ${user} `, 'm'));
      assert.equal(`/run/${setting(unit, 'RuntimeDirectory') ?? ''}`, config.daemon.runDir);
      assert.equal(config.control.socket, `${config.daemon.runDir}/sock`);
    });
  }

  for (const kind of ['host', 'engine']) {
    test(`are accepted by systemd with what is of the kind ${kind}`, { skip }, async () => {
      await using folder = await TemporaryFolder.create();
      const [unit = ''] = units;
      await mkdir(folder.file(`${unit}.d`));
      await writeFile(folder.file(unit), withPrograms(read(unit)));
      await writeFile(folder.file(`${unit}.d/10-kind.conf`), withPrograms(read(`${kind}/10-kind.conf`)));
      await writeFile(folder.file('ovirt-imageio.socket'), read(socketUnit));
      assertVerified(folder.file(unit));
    });
  }

  test(`make the sockets where the configuration expects them, for nobody else: ${socketUnit}`, () => {
    const { config } = loadConfig({
      role: 'daemon',
      confDir: join(projectRoot, 'packaging', 'examples', 'daemon'),
      vendorDir: '/nonexistent',
      environment: {},
    });
    const sockets = [...read(socketUnit).matchAll(/^ListenStream=(.*)$/gm)].map(([, address]) => address);
    const local = config.local.socket.replace('\0', '@');
    assert.deepEqual(sockets, [config.control.socket, local, String(config.remote.port)]);
    assert.equal(setting(socketUnit, 'SocketMode'), '0660');
    for (const name of ['SocketUser', 'SocketGroup'])
      assert.equal(setting(socketUnit, name), config.daemon.userName);
    assert.equal(setting('host/10-kind.conf', 'Requires'), basename(socketUnit));
  });

  test('come with users that systemd-sysusers accepts', { skip: needs('systemd-sysusers') }, async () => {
    await using root = await TemporaryFolder.create();
    const file = join(projectRoot, 'packaging/sysusers.d/ovirt-imageio.conf');
    const { status, stderr } = spawnSync('systemd-sysusers', [`--root=${root.path}`, '--dry-run', file], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  });

  test('come with examples that cause no warning', () => {
    for (const role of ['daemon', 'proxy'] as const) {
      const confDir = join(projectRoot, 'packaging', 'examples', role);
      const { warnings } = loadConfig({ role, confDir, vendorDir: '/nonexistent', environment: {} });
      assert.deepEqual(warnings, []);
    }
  });
});
