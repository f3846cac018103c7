import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder with package.json, found from the compiled file upwards. */
export const projectRoot = findProjectRoot(import.meta.dirname);

/** The Node release that the lockfile pins, which the service runs on whatever `node` the machine has. */
export const pinnedNode = join(projectRoot, 'node_modules', '.bin', 'node');

/** The built program of daemon and proxy (`npm run build`). */
export const serviceProgram = join(projectRoot, 'dist', 'main.js');

function findProjectRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`No package.json above ${import.meta.dirname}`);
  return findProjectRoot(parent);
}
