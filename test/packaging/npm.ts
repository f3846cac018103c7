import { execFileSync } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { pinnedNode } from '../support/project.js';

/** An environment in which `node` is the release that the service runs on. */
export const nodeEnvironment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: [dirname(pinnedNode), process.env['PATH']].join(delimiter),
  // Packages that were downloaded once are not asked for again.
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
};

/** Runs a shell command and returns what it prints. @throws with its output when it fails */
export function shell(command: string, folder: string): string {
  return execFileSync('sh', ['-c', command], {
    cwd: folder,
    env: nodeEnvironment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
