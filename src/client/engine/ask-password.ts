import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { UsageError } from '../usage-error.js';

/** Asks on the terminal, without showing what is typed. @throws UsageError when there is no terminal */
export async function askPassword(words: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY)
    throw new UsageError('A password is needed: --password-file, or password in the section of -c');
  stderr.write(words);
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  // It turns the echo of the terminal off, and echoes to `nowhere`.
  const prompt = createInterface({ input: stdin, output: nowhere, terminal: true });
  const interrupted = new AbortController();
  prompt.once('SIGINT', () => {
    interrupted.abort();
  });
  try {
    return await prompt.question('', { signal: interrupted.signal });
  } catch (error: unknown) {
    throw interrupted.signal.aborted ? new UsageError('No password was given') : error;
  } finally {
    prompt.close();
    stderr.write('\n');
  }
}
