import { accessSync, constants } from 'node:fs';
import type { Role } from '../test/support/processes.js';
import { pinnedNode, serviceProgram } from '../test/support/project.js';
import { programPath } from '../test/support/requirements.js';

/** One of the services that are compared. */
export interface Side {
  readonly name: 'ours' | 'peer' | 'with' | 'without';
  /** The program and its arguments, to which `-c CONFDIR` is added. */
  command(role: Role): readonly string[];
}

const ours: Side = {
  name: 'ours',
  command: (role) => [pinnedNode, serviceProgram, '--role', role],
};

/** Ours beside itself, with something that a client asks for and without it. */
export const oursWithAndWithout: readonly Side[] = [
  { ...ours, name: 'with' },
  { ...ours, name: 'without' },
];

const defaultPeerCommand = 'ovirt-imageio';

/**
 * Ours, and the Python service when it is installed. That one has no roles: a daemon with a ticket for an
 * https url is a proxy.
 * @param peerCommand what to run instead of the installed one, with arguments after blanks
 * @throws TypeError when that command cannot be run
 */
export function availableSides(peerCommand: string | undefined): readonly Side[] {
  const [program = '', ...args] = (peerCommand ?? defaultPeerCommand)
    .split(' ')
    .filter((part) => part !== '');
  const path = program.includes('/') ? executable(program) : programPath(program);
  if (path !== undefined) return [ours, { name: 'peer', command: () => [path, ...args] }];
  if (peerCommand !== undefined) throw new TypeError(`PEER_CMD cannot be run: ${peerCommand}`);
  return [ours];
}

function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
