import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from '../support/project.js';
import { pythonTool } from '../support/python-tools.js';
import type { PackageFormat } from './throw-away-root.js';

const version = '2.5.1';
/** Where the library lies on hosts; `python3.N` is that of the tests. */
export const pythonLibrary = `usr/lib64/${pythonFolder()}/site-packages`;

interface Contents {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/**
 * The packages of the service in Python as their spec file has them: names, paths and modes. The program and
 * its library are those of the Python package index, so that they work; the rest is made here.
 */
const packages: Readonly<Record<string, Contents>> = {
  'ovirt-imageio-common': {
    files: [`${pythonLibrary}/ovirt_imageio/__init__.py`],
    folders: [`${pythonLibrary}/ovirt_imageio/_internal`],
  },
  'ovirt-imageio-client': {
    files: ['usr/bin/ovirt-img'],
    folders: [`${pythonLibrary}/ovirt_imageio/client`],
  },
  'ovirt-imageio-daemon': {
    files: [
      'usr/bin/ovirt-imageio',
      'usr/bin/ovirt-imageioctl',
      'usr/lib/systemd/system/ovirt-imageio.service',
      'etc/ovirt-imageio/README',
    ],
    folders: [
      `${pythonLibrary}/ovirt_imageio/admin`,
      'etc/ovirt-imageio/conf.d',
      'usr/lib/ovirt-imageio/conf.d',
      'var/log/ovirt-imageio',
    ],
  },
};

export const pythonPackageNames = Object.keys(packages);

/** Builds them below `folder`. @returns the files, in the order of installation */
export function buildPythonPackages(format: PackageFormat, folder: string): string[] {
  return Object.entries(packages).map(([name, contents]) => {
    const stage = join(folder, `${name}-${format}`);
    for (const path of [...contents.folders, ...contents.files]) place(stage, path);
    const file = format === 'rpm' ? rpm(name, contents, stage, folder) : deb(name, stage, folder);
    rmSync(stage, { recursive: true });
    return file;
  });
}

function place(stage: string, path: string): void {
  const target = join(stage, path);
  mkdirSync(dirname(target), { recursive: true });
  const source = installed(path);
  if (source !== undefined) {
    cpSync(source, target, { recursive: true, filter: (file) => !file.endsWith('__pycache__') });
    if (path.startsWith('usr/bin/')) chmodSync(target, 0o755);
  } else if (path.endsWith('.service')) {
    writeFileSync(target, unit);
  } else if (path.endsWith('README')) {
    writeFileSync(target, 'Configuration of ovirt-imageio\n');
  } else {
    mkdirSync(target);
  }
}

function installed(path: string): string | undefined {
  if (path.startsWith('usr/bin/')) return pythonTool(path.slice('usr/bin/'.length), 'ovirt-img');
  if (!path.startsWith(pythonLibrary)) return undefined;
  return join(pythonEnvironment(), 'lib', pythonFolder(), 'site-packages', path.slice(pythonLibrary.length));
}

const unit = `[Unit]
Description=The service in Python
[Service]
Type=notify
ExecStart=/usr/bin/ovirt-imageio
[Install]
WantedBy=multi-user.target
`;

function rpm(name: string, { files, folders }: Contents, stage: string, folder: string): string {
  const spec = join(folder, `${name}.spec`);
  const isShared = (path: string): boolean => path.includes('/conf.d') || path.startsWith('var/');
  writeFileSync(
    spec,
    [
      `Name: ${name}`,
      `Version: ${version}`,
      'Release: 1',
      'Summary: The service in Python',
      'License: GPLv2+',
      'AutoReqProv: no',
      '%global __os_install_post %{nil}',
      '%global debug_package %{nil}',
      '%description',
      'The service in Python',
      '%install',
      `cp -a ${stage}/. %{buildroot}/`,
      '%files',
      ...files.map((path) => `/${path}`),
      ...folders.map((path) => `${isShared(path) ? '%dir ' : ''}/${path}`),
      ...(name.endsWith('daemon') ? ['%dir /etc/ovirt-imageio', '%dir /usr/lib/ovirt-imageio'] : []),
      '',
    ].join('\n'),
  );
  const define = ['--define', `_topdir ${folder}/rpm`, '--define', `_rpmdir ${folder}`];
  execFileSync('rpmbuild', ['-bb', '--quiet', ...define, '--define', '_rpmfilename %{NAME}.rpm', spec], {
    stdio: 'pipe',
  });
  return join(folder, `${name}.rpm`);
}

function deb(name: string, stage: string, folder: string): string {
  mkdirSync(join(stage, 'DEBIAN'));
  writeFileSync(
    join(stage, 'DEBIAN', 'control'),
    [
      `Package: ${name}`,
      `Version: ${version}`,
      'Architecture: all',
      'Maintainer: none <none@localhost>',
      'Description: Python',
      '',
    ].join('\n'),
  );
  const file = join(folder, `${name}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', stage, file], {
    stdio: 'pipe',
  });
  return file;
}

function pythonEnvironment(): string {
  return join(projectRoot, '.tools', 'ovirt-img');
}

function pythonFolder(): string {
  const lib = join(projectRoot, '.tools', 'ovirt-img', 'lib');
  try {
    return readdirSync(lib).find((name) => name.startsWith('python3')) ?? 'python3';
  } catch {
    return 'python3';
  }
}
