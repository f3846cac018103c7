import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project.js';

export const olderVersion = '0.0.9';

/** A module that a later release has no more, from the folder of the program. */
export const moduleOfOlder = 'dist/only-in-the-older-release.js';

/** What its unit of hosts says, and that of a later release does not. */
export const lineOfOlderUnit = 'Documentation=https://example.com/older';

/**
 * Makes a tree in `folder` that packages of a release before this one are built from: it has another version,
 * a module more, and another unit. The tree of the project is left as it is.
 */
export function makeOlderTree(folder: string): void {
  for (const path of ['dist', 'sdk/typescript/dist', 'sdk/typescript/package.json', 'openapi', 'scripts'])
    cpSync(join(projectRoot, path), join(folder, path), { recursive: true });
  for (const path of ['packaging', 'docs', 'LICENSE', 'CHANGELOG.md', 'package-lock.json'])
    cpSync(join(projectRoot, path), join(folder, path), { recursive: true });
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
  const manifest = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as object;
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ ...manifest, version: olderVersion }, undefined, 2)}\n`,
  );
  writeFileSync(join(folder, moduleOfOlder), 'export {};\n');
  const unit = join(folder, 'packaging', 'systemd', 'ovirt-imageio.service');
  const text = readFileSync(unit, 'utf8');
  writeFileSync(unit, text.replace(/^\[Unit\]$/m, `[Unit]\n${lineOfOlderUnit}`));
}
