import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pinnedNode, projectRoot } from '../support/project.js';
import { Program } from '../support/program.js';

/** The built client. */
export const imageioProgram = join(projectRoot, 'dist', 'client', 'main.js');

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the client to its end. @param input what it reads from its standard input */
export async function imageio(
  args: readonly string[],
  options: { readonly input?: Buffer; readonly stateHome?: string } = {},
): Promise<Finished> {
  const { promise, resolve } = Promise.withResolvers<Finished>();
  const env = { ...process.env, XDG_STATE_HOME: options.stateHome ?? '/nonexistent' };
  const child = execFile(
    pinnedNode,
    [imageioProgram, ...args],
    { env, maxBuffer: 256 * 2 ** 20, encoding: 'latin1' },
    (error, stdout, stderr) => {
      const { code = 0 } = (error ?? {}) as { code?: number };
      resolve({ code, stdout, stderr });
    },
  );
  // A program that ends without reading all of it is no error.
  child.stdin?.on('error', () => undefined).end(options.input);
  return promise;
}

/** Starts the client, to be interrupted. */
export async function startImageio(args: readonly string[], stateHome: string): Promise<Program> {
  return Program.start(pinnedNode, [imageioProgram, ...args], { env: { XDG_STATE_HOME: stateHome } });
}
