import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** The Node release that the lockfile pins, whatever `node` runs this script. */
export const pinnedNode = join(projectRoot, 'node_modules', '.bin', 'node');

/**
 * Runs a command in the project's folder with its output on the terminal.
 * @returns {boolean} whether it ended with 0
 */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: projectRoot, stdio: 'inherit', ...options });
  if (error !== undefined) console.error(`Cannot run ${command}: ${error.message}`);
  return status === 0;
}

/**
 * Runs a command to its end and keeps its output. Nothing else runs meanwhile.
 * @returns {{ok: boolean, output: string}}
 */
export function runSilently(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: projectRoot,
    encoding: 'utf8',
    maxBuffer: Infinity,
  });
  if (error !== undefined) return { ok: false, output: `Cannot run ${command}: ${error.message}\n` };
  return { ok: status === 0, output: stdout + stderr };
}

/**
 * Runs a command and keeps its output.
 * @returns {Promise<{ok: boolean, output: string}>}
 */
export function runQuietly(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: projectRoot, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        output += text;
      });
    }
    child.once('error', (error) => resolve({ ok: false, output: `Cannot run ${command}: ${error.message}` }));
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });
}

/** Whether a program is installed; /sbin counts too, where Debian keeps mkfs out of the way of users. */
export function hasProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}
