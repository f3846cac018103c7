import { spawn } from 'node:child_process';
import type { Chapter, Command } from './commands.js';

/** Runs every command of the tour as a person would. @returns whether each ended as it should */
export async function checkTour(chapters: readonly Chapter[], folder: string): Promise<boolean> {
  for (const { title, commands } of chapters) {
    console.log(`== ${title}`);
    for (const command of commands) if (!(await checkCommand(command, folder))) return false;
  }
  return true;
}

async function checkCommand({ title, line, exitCode = 0 }: Command, folder: string): Promise<boolean> {
  const { code, output } = await runInBash(line, folder);
  const ok = code === exitCode;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${title}`);
  if (!ok) console.log(`${line}\nended with ${code ?? 'a signal'}, expected ${exitCode}; output:\n${output}`);
  return ok;
}

function runInBash(line: string, folder: string): Promise<{ code: number | null; output: string }> {
  // An early command of a pipe that fails must not hide behind a later one.
  const child = spawn('bash', ['-o', 'pipefail', '-c', line], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, output });
    });
  });
}
