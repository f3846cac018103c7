import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

/** For the `skip` option of node:test: a released archive has no history to clone. */
export function needsHistory(): string | false {
  return existsSync(join(projectRoot, '.git')) ? false : 'needs a git clone of the project';
}

/**
 * A clone of the last commit with nothing built in it, in a folder that every user may read. Its
 * packages are those of this project, since installing them takes as long as all the rest;
 * container.e2e-spec.ts installs them.
 */
export async function cloneProject(): Promise<TemporaryFolder> {
  const folder = await TemporaryFolder.create();
  await chmod(folder.path, 0o755);
  const clone = folder.file('ovirt-imageio');
  execFileSync('git', ['clone', '--quiet', projectRoot, clone], { stdio: 'pipe' });
  await symlink(join(projectRoot, 'node_modules'), join(clone, 'node_modules'));
  return folder;
}

/**
 * Undoes what npm and the test runner have put into the environment: in a new terminal none of it is there.
 */
export function newTerminal(): NodeJS.ProcessEnv {
  const ours =
    /^(npm_(package|lifecycle|config_local_prefix|(node_)?execpath|command)|NODE_TEST_CONTEXT|INIT_CWD)/;
  const unset = Object.keys(process.env)
    .filter((name) => ours.test(name))
    .map((name) => [name, undefined] as const);
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter);
  // Packages that were downloaded once are not asked for again.
  return { ...Object.fromEntries(unset), PATH: path, npm_config_prefer_offline: 'true' };
}
