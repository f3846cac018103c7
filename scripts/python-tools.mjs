// Python programs that the tests use, in an environment of their own below .tools.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { hasProgram, projectRoot } from './console.mjs';

const folder = join(projectRoot, '.tools', 'python');
const requirements = join(projectRoot, 'scripts', 'python-tools.txt');
const stamp = join(folder, 'installed');
const installSecondsMax = 240;

/**
 * Installs what scripts/python-tools.txt lists, unless it is there; says which tests are skipped when that
 * does not work.
 */
export function installPythonTools() {
  const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const failure = install();
  if (failure === undefined) writeFileSync(stamp, wanted);
  else
    console.log(
      `Skipping the tests of schemathesis, of the Python client and of receipts in Python: ${failure}`,
    );
}

function install() {
  if (!hasProgram('python3')) return 'python3 is missing';
  console.log('Installing Python tools below .tools/python');
  rmSync(folder, { recursive: true, force: true });
  const environment = spawnSync('python3', ['-m', 'venv', folder], { encoding: 'utf8' });
  if (environment.status !== 0)
    return `python3 -m venv failed (Debian package python3-venv): ${lastLine(environment)}`;
  const packages = spawnSync(
    join(folder, 'bin', 'pip'),
    ['install', '--quiet', '--disable-pip-version-check', '--retries', '2', '--requirement', requirements],
    { encoding: 'utf8', timeout: installSecondsMax * 1000 },
  );
  return packages.status === 0 ? undefined : `pip install failed: ${lastLine(packages)}`;
}

function lastLine({ error, stdout, stderr }) {
  return error?.message ?? `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').at(-1);
}
