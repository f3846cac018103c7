import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project.js';

/** The environments that `scripts/python-tools.mjs` installs. */
type Environment = 'python' | 'ovirt-img';

/** The path of a program that `scripts/python-tools.mjs` installs. */
export function pythonTool(name: string, environment: Environment = 'python'): string {
  return join(projectRoot, '.tools', environment, 'bin', name);
}

/** For the `skip` option of node:test. */
export function needsPythonTool(name: string, environment: Environment = 'python'): string | false {
  return existsSync(pythonTool(name, environment))
    ? false
    : `needs ${name}, which npm test installs where Python and its package index can be reached`;
}
