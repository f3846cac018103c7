import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project.js';

const folder = join(projectRoot, '.tools', 'python');

/** The path of a program that `scripts/python-tools.mjs` installs. */
export function pythonTool(name: string): string {
  return join(folder, 'bin', name);
}

/** For the `skip` option of node:test. */
export function needsPythonTool(name: string): string | false {
  return existsSync(pythonTool(name))
    ? false
    : `needs ${name}, which npm test installs where Python and its package index can be reached`;
}
