// Installs the releases of Node that the packages promise to run on, besides the pinned one, into .tools/,
// once, from the npm package `node`. Prints as JSON where they are: {"releases": {version: path}}, or
// {"missing": "why"}.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './console.mjs';

/** The oldest that `engines` allows, and the newest of the line between it and the pinned one. */
const versions = ['22.12.0', '24.21.0'];

try {
  const releases = Object.fromEntries(versions.map((version) => [version, install(version)]));
  console.log(JSON.stringify({ releases }));
} catch (error) {
  const said = String(error.stderr ?? error).trim();
  console.log(JSON.stringify({ missing: `needs other releases of Node: ${said.split('\n').at(-1)}` }));
}

function install(version) {
  const folder = join(projectRoot, '.tools', `node-${version}`);
  const program = join(folder, 'node_modules', '.bin', 'node');
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  // Its install script fetches the binary for this platform.
  const manifest = { private: true, dependencies: { node: version }, allowScripts: { node: true } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  execFileSync('npm', ['install', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: 'pipe',
    timeout: 120_000,
  });
  return program;
}
