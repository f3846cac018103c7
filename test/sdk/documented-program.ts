import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../support/project.js';

/**
 * Writes the programs of a page in docs/sdk into a folder. A program is a code block whose first line names, after the language, its file.
 * @returns the code of each, by file name
 */
export async function writeDocumentedPrograms(page: string, folder: string): Promise<Map<string, string>> {
  const text = await readFile(join(projectRoot, 'docs', 'sdk', page), 'utf8');
  const programs = new Map<string, string>();
  for (const [, file = '', code = ''] of text.matchAll(/^```\w+ (\S+)\n(.*?)^```$/gms)) {
    programs.set(file, code);
    await writeFile(join(folder, file), code);
  }
  return programs;
}
