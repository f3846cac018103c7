// Brings a fresh clone to where it can be built and tested. Runs on whatever Node the machine has, before
// anything is installed, so it uses nothing but Node's own modules.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram, pinnedNode, projectRoot, run, runSilently } from './console.mjs';

/** What the tests use beside Node: program, Debian package that has it, and which tests need it. */
const systemPrograms = [
  { program: 'qemu-nbd', debianPackage: 'qemu-utils', tests: 'nbd and qcow2 images' },
  { program: 'qemu-img', debianPackage: 'qemu-utils', tests: 'qcow2 images' },
  { program: 'nbdkit', debianPackage: 'nbdkit', tests: 'faults of nbd storage' },
  { program: 'nbdinfo', debianPackage: 'libnbd-bin', tests: 'nbd images compared with libnbd' },
  { program: 'mkfs.ext4', debianPackage: 'e2fsprogs', tests: 'images with file systems' },
  { program: 'chromium', debianPackage: 'chromium', tests: 'browsers' },
  { program: 'redis-server', debianPackage: 'redis-server', tests: 'sessions shared through Redis' },
  { program: 'curl', debianPackage: 'curl', tests: 'curl as a client, and the demo' },
  { program: 'jq', debianPackage: 'jq', tests: 'the incremental backup walk-through' },
  { program: 'python3', debianPackage: 'python3', tests: 'systemd notification' },
  { program: 'rpmbuild', debianPackage: 'rpm', tests: 'the rpm' },
  { program: 'strip', debianPackage: 'binutils', tests: 'the packages rpm and deb' },
  { program: 'mandoc', debianPackage: 'mandoc', tests: 'manual pages' },
  { program: 'fish', debianPackage: 'fish', tests: 'completion in fish' },
  { program: 'zsh', debianPackage: 'zsh', tests: 'completion in zsh' },
  { program: 'openssl', debianPackage: 'openssl', tests: 'signatures checked by another implementation' },
];

/**
 * Installs the npm packages of the lockfile unless they are there.
 * @returns {boolean} false, after a line that says why, when that failed
 */
export function installPackages() {
  if (!packagesAreInstalled()) {
    console.log('Installing npm packages (npm ci)');
    // What npm has to say of a success, such as that the Node that runs it is older than the one it installs,
    // is nobody's business here.
    const { ok, output } = runSilently('npm', ['ci', '--no-audit', '--no-fund']);
    if (!ok) {
      console.error(`${output}npm ci failed: see its messages above`);
      return false;
    }
  }
  if (!run(pinnedNode, ['--version'], { stdio: 'ignore' })) {
    console.error(
      `${pinnedNode} does not run: its install script, which fetches the binary for this platform, may ` +
        'not have run; try "npm rebuild node"',
    );
    return false;
  }
  return true;
}

/**
 * Installs missing system packages when that can be done without asking, else says which tests will be
 * skipped.
 */
export function installSystemPackages() {
  const packages = new Set(missingPrograms().map(({ debianPackage }) => debianPackage));
  if (packages.size > 0 && process.getuid?.() === 0 && hasProgram('apt-get')) aptInstall([...packages]);
  for (const { program, debianPackage, tests } of missingPrograms())
    console.log(`Skipping the tests of ${tests}: ${program} is missing (Debian package ${debianPackage})`);
}

function missingPrograms() {
  return systemPrograms.filter(({ program }) => !hasProgram(program));
}

/**
 * apt-get must not ask questions, and must give up soon without a network: tests that need no packages still
 * run then.
 */
function aptInstall(packages) {
  console.log(`Installing system packages: ${packages.join(' ')}`);
  const options = [
    '-q',
    '-o',
    'DPkg::Lock::Timeout=120',
    '-o',
    'Acquire::Retries=2',
    '-o',
    'Acquire::http::Timeout=20',
    '-o',
    'Acquire::https::Timeout=20',
  ];
  const how = {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 600_000,
  };
  if (!run('apt-get', [...options, 'update'], how))
    console.log('apt-get update failed: trying with the lists as they are');
  if (!run('apt-get', [...options, 'install', '--yes', '--no-install-recommends', ...packages], how))
    console.log('apt-get install failed: going on without');
}

/**
 * Compares what npm wrote into node_modules with the lockfile, entry by entry: times of files say nothing
 * after a checkout.
 */
function packagesAreInstalled() {
  const installed = readPackages(join(projectRoot, 'node_modules', '.package-lock.json'));
  const wanted = readPackages(join(projectRoot, 'package-lock.json'));
  if (installed === undefined || wanted === undefined) return false;
  return Object.entries(wanted)
    .filter(([path]) => path !== '')
    .every(([path, { version, optional }]) => {
      const present = installed[path];
      // Optional packages of other platforms are in the lockfile only.
      return present === undefined ? optional === true : present.version === version;
    });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
