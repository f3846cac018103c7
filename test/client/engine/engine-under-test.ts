import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Deployment } from '../../e2e/deployment.js';
import { patienceMs } from '../../support/deadline.js';
import { Program } from '../../support/program.js';
import { pinnedNode } from '../../support/project.js';
import { pythonTool } from '../../support/python-tools.js';
import { credentials, ScriptedEngine } from '../../support/scripted-engine/scripted-engine.js';
import { imageioProgram, type Finished } from '../imageio-under-test.js';

/** A scripted engine with a daemon and a proxy, and clients that know who they are. */
export class EngineUnderTest implements AsyncDisposable {
  private constructor(
    readonly deployment: Deployment,
    readonly engine: ScriptedEngine,
    private readonly home: string,
  ) {}

  static async start(): Promise<EngineUnderTest> {
    const deployment = await Deployment.start();
    const engine = await ScriptedEngine.start(deployment);
    const home = deployment.folder.file('home');
    const test = new EngineUnderTest(deployment, engine, home);
    await mkdir(join(home, '.config'), { recursive: true });
    await test.configure({
      engine_url: engine.url,
      username: credentials.username,
      password: credentials.password,
      cafile: deployment.pki.caFile,
    });
    return test;
  }

  get stateFolder(): string {
    return join(this.home, '.local', 'state', 'imageio');
  }

  /** Writes the section `[test]` of the configuration that all clients read. */
  async configure(options: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(options).map(([option, value]) => `${option} = ${value}`);
    await writeFile(
      join(this.home, '.config', 'ovirt-img.conf'),
      ['[other]', 'username = nobody', '[test]', ...lines, ''].join('\n'),
    );
  }

  /** Runs our client to its end, with the section `test`. */
  async imageio(command: string, ...args: readonly string[]): Promise<Finished> {
    return this.#run(pinnedNode, [imageioProgram, command, '-c', 'test', ...args]);
  }

  /** Runs the Python client to its end, with the same section. */
  async ovirtImg(command: string, ...args: readonly string[]): Promise<Finished> {
    return this.#run(pythonTool('ovirt-img', 'ovirt-img'), [command, '-c', 'test', ...args]);
  }

  /** Starts our client, to be interrupted. */
  async startImageio(command: string, ...args: readonly string[]): Promise<Program> {
    return Program.start(pinnedNode, [imageioProgram, command, '-c', 'test', ...args], {
      env: this.#environment,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.deployment[Symbol.asyncDispose]();
    await this.engine[Symbol.asyncDispose]();
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...process.env, HOME: this.home, XDG_STATE_HOME: join(this.home, '.local', 'state') };
  }

  async #run(program: string, args: readonly string[]): Promise<Finished> {
    const { promise, resolve } = Promise.withResolvers<Finished>();
    const options = { env: this.#environment, timeout: patienceMs };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const { code = 0 } = (error ?? {}) as { code?: number };
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end();
    return promise;
  }
}

/** A line of the output of `--output json`. */
export interface OutputLine {
  readonly transferred: number;
  readonly elapsed: number;
  readonly description: string;
  readonly size?: number;
}

export function outputLines(stdout: string): OutputLine[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as OutputLine);
}
