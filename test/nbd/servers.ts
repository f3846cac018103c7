import { execFile, type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** A reason to skip a test that needs these programs, or false. */
export function missing(...programs: readonly string[]): string | false {
  const absent = programs.filter((program) => spawnSync(program, ['--version']).error !== undefined);
  return absent.length > 0 && `not installed: ${absent.join(', ')}`;
}

const run = promisify(execFile);

/** Runs a program to its end. @returns its standard output; throws when it fails */
export async function runProgram(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(program, args);
  return stdout;
}

/** A new folder for sockets and images, and the servers started in it. */
export class Workspace implements AsyncDisposable {
  readonly #servers: NbdServer[] = [];

  private constructor(readonly folder: string) {}

  static async create(): Promise<Workspace> {
    return new Workspace(await mkdtemp(join(tmpdir(), 'nbd-')));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Starts qemu-nbd on a unix socket; its arguments end with the image. */
  qemuNbd(...args: readonly string[]): Promise<NbdServer> {
    return this.#start('qemu-nbd', (socketPath) => [
      `--socket=${socketPath}`,
      '--persistent',
      '--shared=8',
      ...args,
    ]);
  }

  /** Starts nbdkit on a unix socket. */
  nbdkit(...args: readonly string[]): Promise<NbdServer> {
    return this.#start('nbdkit', (socketPath) => [...nbdkitArgs, '--unix', socketPath, ...args]);
  }

  /** Starts nbdkit on a TCP port of the IPv4 loopback interface. */
  nbdkitOnPort(port: number, ...args: readonly string[]): Promise<NbdServer> {
    return this.nbdkitAt('127.0.0.1', port, ...args);
  }

  /** Starts nbdkit on a TCP port of one address. */
  nbdkitAt(address: string, port: number, ...args: readonly string[]): Promise<NbdServer> {
    return this.#start('nbdkit', () => [...nbdkitArgs, `--ipaddr=${address}`, `--port=${port}`, ...args]);
  }

  async #start(program: string, argsFor: (socketPath: string) => readonly string[]): Promise<NbdServer> {
    const name = `server-${this.#servers.length}`;
    const socketPath = this.path(`${name}.sock`);
    const server = new NbdServer(program, argsFor(socketPath), socketPath, this.path(`${name}.pid`));
    this.#servers.push(server);
    await server.start();
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
    await rm(this.folder, { recursive: true, force: true });
  }
}

/**
 * One thread for each connection: with more, nbdkit 1.32 aborts now and then when a client leaves in the
 * middle of an answer, and takes the connections of all others with it. A test that needs more says so after
 * these.
 */
const nbdkitArgs = ['--foreground', '--threads=1'] as const;

/**
 * Of a shell script: waits until the file is there. It ends with the folder of the file as well, so that
 * nothing that a test has started outlives it.
 */
export function waitForFile(path: string): string {
  return `while [ ! -e ${path} ] && [ -d ${dirname(path)} ]; do sleep 0.05; done`;
}

/** A real NBD server, a child of the test process. */
export class NbdServer {
  #child: ChildProcess | undefined;
  /** What it printed as errors since it was started last. */
  #words = '';

  constructor(
    private readonly program: string,
    private readonly args: readonly string[],
    readonly socketPath: string,
    private readonly pidPath: string,
  ) {}

  /** The url of its default export. */
  get url(): string {
    return `nbd:unix:${this.socketPath}`;
  }

  /**
   * Starts it, again too. Resolves when it accepts connections: both servers write
   * their pid file only then.
   */
  async start(): Promise<void> {
    await rm(this.pidPath, { force: true });
    await rm(this.socketPath, { force: true });
    const child = spawn(this.program, [...this.pidFileArgs(), ...this.args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    this.#words = '';
    child.stderr.on('data', (text: Buffer) => (this.#words += text.toString()));
    const ended = new AbortController();
    child.once('exit', () => {
      ended.abort();
    });
    if (!(await fileWithText(this.pidPath, ended.signal)))
      throw new Error(`${this.program} ended: ${this.#words}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** How it ended, and its last words; undefined while it runs. */
  get end(): string | undefined {
    const { exitCode = null, signalCode = null } = this.#child ?? {};
    const how = signalCode ?? exitCode;
    return how === null ? undefined : `${this.program} ended with ${how}: ${this.#words.trim()}`;
  }

  /** Ends it at once, as if its host had failed, or politely. Resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  private pidFileArgs(): readonly string[] {
    return this.program === 'nbdkit' ? ['--pidfile', this.pidPath] : [`--pid-file=${this.pidPath}`];
  }
}

/** Resolves true when the file exists and is not empty, false when `ended` aborts first. */
async function fileWithText(path: string, ended: AbortSignal): Promise<boolean> {
  const watcher = watch(join(path, '..'));
  try {
    for (;;) {
      // Before looking: it may change while we look.
      const change = once(watcher, 'change', { signal: ended });
      change.catch(() => undefined);
      const text = await readFile(path, 'utf8').catch(() => '');
      if (text !== '') return true;
      await change;
    }
  } catch (error: unknown) {
    if (ended.aborted) return false;
    throw error;
  } finally {
    watcher.close();
  }
}
