import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { shellBlocksOf } from '../docs/shell-blocks.js';
import { Program, type ProgramOptions } from '../support/program.js';
import { projectRoot } from '../support/project.js';

/**
 * Writes the programs of a page in docs/sdk into a folder. A program is a code block whose first line
 * names, after the language, its file.
 * @returns the code of each, by file name
 */
export async function writeDocumentedPrograms(page: string, folder: string): Promise<Map<string, string>> {
  const text = await readPage(page);
  const programs = new Map<string, string>();
  for (const [, file = '', code = ''] of text.matchAll(/^```\w+ (\S+)\n(.*?)^```$/gms)) {
    programs.set(file, code);
    await writeFile(join(folder, file), code);
  }
  return programs;
}

/**
 * Starts the commands of a page in docs/sdk that a test is to run, as they are in the page;
 * the first that fails ends them.
 */
export async function startDocumentedCommands(page: string, options: ProgramOptions): Promise<Program> {
  const blocks = shellBlocksOf(page, await readPage(page)).filter(({ trial }) => trial?.kind === 'run by');
  const script = blocks.map(({ commands }) => commands).join('');
  return Program.start('bash', ['-euo', 'pipefail', '-c', script], options);
}

function readPage(page: string): Promise<string> {
  return readFile(join(projectRoot, 'docs', 'sdk', page), 'utf8');
}
