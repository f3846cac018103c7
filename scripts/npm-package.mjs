// npm run package:npm: the npm package with npm-shrinkwrap.json, so that whoever unpacks it and calls npm ci
// gets the versions of package-lock.json. It is put together in a folder of its own: the tree never has a
// second lockfile, which npm would take instead of the first, and the package has nothing that only
// development needs.
// Options: --out DIR (.build/packages). Prints the path of the package. Needs what `npm run build` makes.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from './console.mjs';

const { values: options } = parseArgs({
  options: { out: { type: 'string', default: join(projectRoot, '.build', 'packages') } },
});
const out = resolve(options.out);
mkdirSync(out, { recursive: true });
const stage = mkdtempSync(join(out, '.npm-'));
try {
  const [{ files }] = pack(projectRoot, '--dry-run');
  for (const { path } of files) cpSync(join(projectRoot, path), join(stage, path));
  const shrinkwrap = productionLock(readJson('package-lock.json'));
  writeJson('npm-shrinkwrap.json', shrinkwrap);
  writeJson('package.json', productionManifest(readJson('package.json'), shrinkwrap));
  const [{ filename }] = pack(stage, '--pack-destination', out);
  console.log(relative('', join(out, filename)));
} finally {
  rmSync(stage, { recursive: true, force: true });
}

function pack(folder, ...args) {
  const described = execFileSync('npm', ['pack', '--json', '--ignore-scripts', ...args], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(described);
}

/**
 * The lockfile without development, and without where packages were fetched from: npm asks the registry
 * that it is given.
 */
function productionLock(lock) {
  const packages = Object.entries(lock.packages)
    .filter(([, { dev, devOptional }]) => !dev && !devOptional)
    .map(([path, entry]) => [path, without(entry, 'resolved', 'devDependencies')]);
  return { ...lock, packages: Object.fromEntries(packages) };
}

/** `npm ci` refuses a package that differs from its lockfile: what that leaves out goes here as well. */
function productionManifest(manifest, { packages }) {
  const scripts = Object.entries(manifest.allowScripts).filter(
    ([name]) => `node_modules/${name}` in packages,
  );
  return {
    ...without(manifest, 'devDependencies', 'scripts', 'overrides'),
    allowScripts: Object.fromEntries(scripts),
    files: [...manifest.files, 'npm-shrinkwrap.json'],
  };
}

function without(object, ...names) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

function readJson(file) {
  return JSON.parse(readFileSync(join(projectRoot, file), 'utf8'));
}

function writeJson(file, value) {
  writeFileSync(join(stage, file), `${JSON.stringify(value, undefined, 2)}\n`);
}
