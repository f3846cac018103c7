// npm run package: an rpm and a deb with the built program, the npm packages that it needs when it runs and
// the Node.js that the lockfile pins, so that a host needs no registry. Made with rpmbuild and dpkg-deb, the
// distributions' own tools; a format whose tool is missing is left out. What is put together is what is
// installed here: nothing is downloaded.
// Options: --out DIR (.build/packages), --release NUMBER (1), --compression-level 1..9 (6)
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { hasProgram, pinnedNode, projectRoot } from './console.mjs';

const name = 'ovirt-imageio-ts';
const home = `/usr/lib/${name}`;
const architectures = {
  x64: { deb: 'amd64', rpm: 'x86_64' },
  arm64: { deb: 'arm64', rpm: 'aarch64' },
};

/** Programs below `home`/bin, what Node runs, and the name of the link in /usr/bin, if people call it. */
const programs = [
  // Their names without -ts belong to the package of the service in Python.
  { program: 'ovirt-imageio', module: 'dist/main.js', link: 'ovirt-imageio-ts' },
  { program: 'ovirt-imageioctl', module: 'dist/ctl/main.js', link: 'ovirt-imageioctl-ts' },
  { program: 'imageio', module: 'dist/client/main.js', link: 'imageio' },
  { program: 'ovirt-imageio-copy-key', module: 'dist/process/copy-key.js' },
];

/** Two thirds of the files: declarations, source maps, and what packages say to readers of their source. */
const onlyForDevelopers = /\.(map|[cm]?ts|flow|yml)$|\/node_modules\/.*\.(md|markdown)$/;

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join(projectRoot, '.build', 'packages') },
    release: { type: 'string', default: '1' },
    'compression-level': { type: 'string', default: '6' },
  },
});
const out = resolve(options.out);
const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
const architecture = architectures[process.arch];
if (architecture === undefined) throw new Error(`There are no packages for ${process.arch}`);

mkdirSync(out, { recursive: true });
const work = mkdtempSync(join(out, '.work-'));
try {
  const stage = join(work, 'stage');
  putTogether(stage);
  const made = [...make('rpm', 'rpmbuild', makeRpm, stage), ...make('deb', 'dpkg-deb', makeDeb, stage)];
  for (const file of made) console.log(relative('', file));
  if (made.length === 0) process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function make(format, tool, how, stage) {
  if (hasProgram(tool)) return [how(stage)];
  console.error(`No ${format}: ${tool} is missing`);
  return [];
}

/** The files as they are installed, below `stage`. */
function putTogether(stage) {
  const place = (path) => {
    mkdirSync(dirname(join(stage, path)), { recursive: true });
    return join(stage, path);
  };
  const copy = (from, to) =>
    cpSync(join(projectRoot, from), place(to), {
      recursive: true,
      dereference: true,
      filter: (path) => !onlyForDevelopers.test(path),
    });
  const write = (path, text) => writeFileSync(place(path), text);

  for (const from of ['dist', 'sdk/typescript/dist', 'sdk/typescript/package.json', 'openapi'])
    copy(from, `${home}/${from}`);
  for (const from of ['package.json', 'LICENSE', ...productionModules()]) copy(from, `${home}/${from}`);
  execFileSync('strip', ['-o', place(`${home}/bin/node`), realNode()]);
  for (const { program, module, link } of programs) {
    write(`${home}/bin/${program}`, launcher(module));
    if (link !== undefined) symlinkSync(`../lib/${name}/bin/${program}`, place(`/usr/bin/${link}`));
  }
  copy('packaging/package/ovirt-imageio-switch', '/usr/sbin/ovirt-imageio-switch');
  copy('packaging/systemd', `${home}/systemd`);
  copy('packaging/sysusers.d/ovirt-imageio.conf', `/usr/lib/sysusers.d/${name}.conf`);
  copy(`packaging/tmpfiles.d/${name}.conf`, `/usr/lib/tmpfiles.d/${name}.conf`);
  mkdirSync(place('/etc/ovirt-imageio/conf.d'), { recursive: true });

  const doc = `/usr/share/doc/${name}`;
  for (const from of [
    'LICENSE',
    'CHANGELOG.md',
    'docs/operations.md',
    'docs/configuration.md',
    'docs/migration.md',
  ])
    copy(from, `${doc}/${from.replace('docs/', '')}`);
  copy('packaging/examples', `${doc}/examples`);
  copy(`packaging/logrotate/${name}`, `${doc}/examples/logrotate`);
  write('/usr/share/man/man1/imageio.1.gz', gzipped('dist/client/imageio.1'));
  write('/usr/share/man/man8/ovirt-imageio-ts.8.gz', gzipped('dist/process/ovirt-imageio-ts.8'));
  write('/usr/share/man/man8/ovirt-imageioctl-ts.8.gz', gzipped('dist/ctl/ovirt-imageioctl-ts.8'));
  write('/usr/share/man/man8/ovirt-imageio-switch.8.gz', gzipped('packaging/package/ovirt-imageio-switch.8'));
  const completions = {
    bash: '/usr/share/bash-completion/completions/imageio',
    fish: '/usr/share/fish/vendor_completions.d/imageio.fish',
    zsh: '/usr/share/zsh/site-functions/_imageio',
  };
  for (const [shell, path] of Object.entries(completions)) {
    const client = join(projectRoot, 'dist', 'client', 'main.js');
    write(path, execFileSync(pinnedNode, [client, 'completion', shell]));
  }
  setModes(stage);
}

function gzipped(path) {
  return gzipSync(readFileSync(join(projectRoot, path)), { level: 9 });
}

/** Finds Node beside itself, through links and wherever the tree lies. */
function launcher(module) {
  return [
    '#!/bin/sh',
    'home=$(dirname "$(dirname "$(readlink -f "$0")")")',
    `exec "$home/bin/node" "$home/${module}" "$@"`,
    '',
  ].join('\n');
}

function realNode() {
  return execFileSync(pinnedNode, ['--print', 'process.execPath'], { encoding: 'utf8' }).trim();
}

/** Folders in node_modules that the lockfile has for more than development and that this platform has. */
function productionModules() {
  const { packages } = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path]) => path)
    .filter((path) => isFolder(join(projectRoot, path)));
}

function isFolder(path) {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Whoever builds it has a umask and habits of their own: root owns all of it, and nobody else may write. */
function setModes(folder) {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) setModes(path);
    else if (entry.isFile()) chmodSync(path, /\/s?bin\/[^/]+$/.test(path) ? 0o755 : 0o644);
  }
}

function script(file) {
  return readFileSync(join(projectRoot, 'packaging', 'package', file), 'utf8');
}

function makeRpm(stage) {
  const spec = join(work, `${name}.spec`);
  const text = script(`${name}.spec`)
    .replace('INSTALLED', () => script('installed.sh'))
    .replace('REMOVING', () => script('removing.sh'));
  writeFileSync(spec, text);
  const definitions = {
    _topdir: join(work, 'rpm'),
    _rpmdir: out,
    _rpmfilename: '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm',
    stage,
    // A hyphen would begin the release.
    package_version: version.replaceAll('-', '~'),
    package_release: options.release,
    compression_level: options['compression-level'],
  };
  execFileSync(
    'rpmbuild',
    [
      '-bb',
      '--quiet',
      `--target=${architecture.rpm}`,
      ...Object.entries(definitions).flatMap(([key, value]) => ['--define', `${key} ${value}`]),
      spec,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return join(out, `${name}-${definitions.package_version}-${options.release}.${architecture.rpm}.rpm`);
}

function makeDeb(stage) {
  const debVersion = version.replaceAll('-', '~');
  const control = join(stage, 'DEBIAN');
  mkdirSync(control);
  const kibibytes = execFileSync('du', ['-sk', stage], { encoding: 'utf8' }).split('\t')[0];
  writeFileSync(
    join(control, 'control'),
    script('control')
      .replace('VERSION', debVersion)
      .replace('RELEASE', options.release)
      .replace('ARCHITECTURE', architecture.deb)
      .replace('KIBIBYTES', kibibytes),
  );
  for (const [file, from] of [
    ['postinst', 'installed.sh'],
    ['prerm', 'removing.sh'],
  ]) {
    writeFileSync(join(control, file), script(from));
    chmodSync(join(control, file), 0o755);
  }
  const file = join(out, `${name}_${debVersion}-${options.release}_${architecture.deb}.deb`);
  const compression = ['-Zgzip', `-z${options['compression-level']}`];
  execFileSync('dpkg-deb', ['--root-owner-group', ...compression, '--build', stage, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return file;
}
