// Python programs that the tests use, each group in an environment of its own below .tools.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { hasProgram, projectRoot } from './console.mjs';

/**
 * Folder below .tools, list of packages below scripts, which tests need them. ovirt-img compiles parts of
 * itself, which takes gcc and headers of Python and libxml2: the others do not wait for that.
 */
const environments = [
  {
    name: 'python',
    requirements: 'python-tools.txt',
    tests: 'schemathesis, of the Python client and of receipts',
  },
  { name: 'ovirt-img', requirements: 'ovirt-img.txt', tests: 'ovirt-img and of the Python service' },
];
const installSecondsMax = 240;

/** Installs what the lists name, unless it is there; says which tests are skipped when that does not work. */
export function installPythonTools() {
  for (const { name, requirements, tests } of environments) {
    const folder = join(projectRoot, '.tools', name);
    const list = join(projectRoot, 'scripts', requirements);
    const stamp = join(folder, 'installed');
    const wanted = createHash('sha256').update(readFileSync(list)).digest('hex');
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) continue;
    const failure = install(folder, list);
    if (failure === undefined) writeFileSync(stamp, wanted);
    else console.log(`Skipping the tests of ${tests}: ${failure}`);
  }
}

function install(folder, list) {
  if (!hasProgram('python3')) return 'python3 is missing';
  console.log(`Installing Python tools below ${folder}`);
  rmSync(folder, { recursive: true, force: true });
  const environment = spawnSync('python3', ['-m', 'venv', folder], { encoding: 'utf8' });
  if (environment.status !== 0)
    return `python3 -m venv failed (Debian package python3-venv): ${lastLine(environment)}`;
  const packages = spawnSync(
    join(folder, 'bin', 'pip'),
    ['install', '--quiet', '--disable-pip-version-check', '--retries', '2', '--requirement', list],
    { encoding: 'utf8', timeout: installSecondsMax * 1000 },
  );
  return packages.status === 0 ? undefined : `pip install failed: ${lastLine(packages)}`;
}

function lastLine({ error, stdout, stderr }) {
  return error?.message ?? `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').at(-1);
}
