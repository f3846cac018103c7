// npm run check:compatibility: fails when openapi/ differs from that of the last release in a way that breaks
// clients, unless the change is in openapi/breaking-changes.txt, as this prints it. Without a release the
// commit before is compared.
//   --base REVISION  compare with that one
//   --before DIR --after DIR  compare two folders
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { breakingChanges } from './api-changes.mjs';
import { projectRoot } from './console.mjs';

const { values } = parseArgs({
  options: { base: { type: 'string' }, before: { type: 'string' }, after: { type: 'string' } },
});
const current = values.after ?? join(projectRoot, 'openapi');
const base = values.before ?? values.base ?? lastRelease() ?? commit('HEAD^');

if (base === undefined) {
  console.log('Nothing to compare the API contracts with: no release, and no commit before this one');
} else {
  const accepted = acceptedChanges();
  const all = documentsOf(base).flatMap(([name, before]) => {
    const file = join(current, name);
    const changes = existsSync(file)
      ? breakingChanges(before, JSON.parse(readFileSync(file, 'utf8')))
      : ['document removed'];
    return changes.map((change) => `${name} ${change}`);
  });
  const unmarked = all.filter((change) => !accepted.has(change));
  console.log(
    `API contracts compared with ${base}: ${all.length} breaking changes, ` +
      `${all.length - unmarked.length} of them marked`,
  );
  for (const change of unmarked) console.log(change);
  if (unmarked.length > 0) process.exitCode = 1;
}

function documentsOf(revision) {
  if (values.before !== undefined)
    return readdirSync(values.before)
      .filter((name) => name.endsWith('.json'))
      .map((name) => [name, JSON.parse(readFileSync(join(values.before, name), 'utf8'))]);
  const names = git('ls-tree', '--name-only', revision, 'openapi/') ?? '';
  return names
    .split('\n')
    .filter((path) => path.endsWith('.json'))
    .map((path) => [path.replace('openapi/', ''), JSON.parse(git('show', `${revision}:${path}`) ?? '{}')]);
}

/** Lines that are not comments. */
function acceptedChanges() {
  const file = join(current, 'breaking-changes.txt');
  if (!existsSync(file)) return new Set();
  const lines = readFileSync(file, 'utf8').split('\n');
  return new Set(lines.filter((line) => line !== '' && !line.startsWith('#')));
}

function lastRelease() {
  return git('describe', '--tags', '--abbrev=0', '--match=v[0-9]*', 'HEAD');
}

function commit(name) {
  return git('rev-parse', '--verify', '--quiet', `${name}^{commit}`);
}

function git(...args) {
  const { status, stdout } = spawnSync('git', args, {
    cwd: projectRoot,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return status === 0 ? stdout.trim() : undefined;
}
