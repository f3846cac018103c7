import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * For the `skip` option of node:test: `{ skip: needs('qemu-nbd', 'qemu-img') }`.
 * @returns false when every program is there, else the reason to skip
 */
export function needs(...programs: string[]): string | false {
  const missing = programs.filter((program) => programPath(program) === undefined);
  return missing.length === 0 ? false : `needs ${missing.join(', ')}, which this machine does not have`;
}

/** The path of an installed program; /sbin counts too, where Debian keeps mkfs out of the way of users. */
export function programPath(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
