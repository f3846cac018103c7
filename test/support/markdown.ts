import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project.js';

/** What is installed, built or made by a run: none of it is the project's own. */
const generatedFolders = new Set(['node_modules', 'dist', '.build', '.demo', '.tools', '.git']);

/**
 * Files below `folder` of the project whose names end in one of `endings`, as paths
 * from the project's folder, sorted.
 */
export function projectFiles(endings: readonly string[], folder = ''): string[] {
  const files: string[] = [];
  for (const entry of readdirSync(join(projectRoot, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !generatedFolders.has(entry.name)) files.push(...projectFiles(endings, path));
    else if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) files.push(path);
  }
  return files.sort();
}

/** The page without blocks of code, where `#` and brackets mean something else. */
export function proseOf(page: string): string {
  return page.replace(/^( *)(`{3,}|~{3,})[^]*?^\1\2 *$/gm, '');
}

/** The headings of a page as they are read: without their marks, links and backticks. */
export function headingsOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading = '']) =>
    heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', ''),
  );
}

/** The anchors of the headings of a page, as code hosting sites make them. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const heading of headingsOf(page)) {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}\- _]/gu, '')
      .replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}
