import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { patienceMs, within } from './deadline.js';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** What it reads from its standard input, which is empty when absent. */
  readonly input?: string;
}

/**
 * Programs whose end has not been seen: none may outlive the process that started it,
 * even when a test fails.
 */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * A child process, with what it prints kept line by line (stdout and stderr together, in order of arrival).
 */
export class Program {
  readonly lines: string[] = [];
  /** Settles when the process has ended and all its output was read. Never rejects. */
  readonly exited: Promise<Exit>;
  private exit: Exit | undefined;
  private readonly changes = new EventEmitter().setMaxListeners(0);

  private constructor(
    private readonly name: string,
    private readonly child: ChildProcess,
  ) {
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        running.delete(child);
        this.exit = { code, signal };
        this.changes.emit('change');
        resolve(this.exit);
      });
    });
    for (const output of [child.stdout, child.stderr]) this.collect(output);
  }

  /** Starts a program; it is killed at the latest when this process exits. */
  static async start(
    command: string,
    args: readonly string[],
    options: ProgramOptions = {},
  ): Promise<Program> {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      // A process group of its own: Ctrl-C in the terminal goes to whoever started it, who
      // then stops it in an orderly way.
      detached: true,
    });
    running.add(child);
    const program = new Program(command.split('/').at(-1) ?? command, child);
    try {
      await once(child, 'spawn');
    } catch (error) {
      running.delete(child);
      throw new Error(`Cannot start ${command}`, { cause: error });
    }
    // A program that ends without reading all of it is no error.
    child.stdin?.on('error', () => undefined).end(options.input);
    return program;
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error(`${this.name} has no process id`);
    return pid;
  }

  get hasExited(): boolean {
    return this.exit !== undefined;
  }

  /** The last lines of output, for error messages. */
  lastLines(count = 15): string {
    return `The last lines of ${this.name}:\n${this.lines.slice(-count).join('\n')}`;
  }

  /**
   * Resolves with what `select` returns for the first line, past or future, for which it returns anything.
   * @throws when the program ends before, or at the deadline, with the last lines
   */
  async waitForLine<T>(
    select: (line: string) => T | undefined,
    what: string,
    deadlineMs = patienceMs,
  ): Promise<T> {
    const search = async (): Promise<T> => {
      for (let next = 0; ;) {
        for (; next < this.lines.length; next += 1) {
          const found = select(this.lines[next] ?? '');
          if (found !== undefined) return found;
        }
        if (this.exit !== undefined)
          throw new Error(
            `${this.name} ended (${describeExit(this.exit)}) before ${what}\n${this.lastLines()}`,
          );
        await once(this.changes, 'change');
      }
    };
    return within(search(), what, { deadlineMs, detail: () => this.lastLines() });
  }

  /** Waits until it ends by itself. */
  async waitForExit(deadlineMs = patienceMs): Promise<Exit> {
    const detail = () => this.lastLines();
    return within(this.exited, `${this.name} to end`, { deadlineMs, detail });
  }

  /** Sends SIGTERM, or another signal, and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = patienceMs): Promise<Exit> {
    if (this.exit === undefined) this.child.kill(signal);
    return within(this.exited, `${this.name} to end after ${signal}`, {
      deadlineMs,
      detail: () => this.lastLines(),
    });
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    await this.stop('SIGKILL');
  }

  /** Sends a signal and does not wait, e.g. SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /**
   * Closes this side of its stdout and stderr, as a log reader that has ended: what it
   * prints from now on fails with EPIPE.
   */
  stopReading(): void {
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
  }

  /** Resident memory now, in bytes. */
  get residentBytes(): number {
    return this.memoryBytes('VmRSS');
  }

  /** The most resident memory since the start, in bytes. */
  get residentBytesMax(): number {
    return this.memoryBytes('VmHWM');
  }

  private memoryBytes(field: string): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
    if (kilobytes === undefined) throw new Error(`No ${field} in the status of ${this.name}`);
    return Number(kilobytes) * 1024;
  }

  private collect(output: Readable | null): void {
    if (output === null) return;
    createInterface({ input: output }).on('line', (line) => {
      this.lines.push(line);
      this.changes.emit('change');
    });
  }
}

export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`;
}
