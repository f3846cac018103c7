import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import headless from '@xterm/headless';
import { within } from '../support/deadline.js';

const columns = 100;
const rows = 200;

/** What came to a terminal, and when. */
export interface Output {
  readonly seconds: number;
  readonly text: string;
}

/** A shell in a pseudo terminal, and the screen as a person sees it. */
export class Terminal implements AsyncDisposable {
  readonly outputs: Output[] = [];
  readonly #screen = new headless.Terminal({ cols: columns, rows, allowProposedApi: true });
  readonly #startedAt = performance.now();
  readonly #shell: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown>;

  /** @param prompt what the shell asks for commands with */
  constructor(
    folder: string,
    environment: NodeJS.ProcessEnv,
    private readonly prompt: string,
  ) {
    const shell = `stty cols ${columns} rows ${rows}; exec env PS1='${prompt}' bash --norc --noprofile`;
    // script(1) makes the pseudo terminal: what it reads is typed there, what it writes is shown there.
    this.#shell = spawn('script', ['-qefc', shell, '/dev/null'], {
      cwd: folder,
      env: { ...process.env, ...environment, TERM: 'xterm' },
    });
    this.#ended = once(this.#shell, 'close');
    this.#shell.stdout.on('data', (data: Buffer) => {
      const text = data.toString();
      this.outputs.push({ seconds: (performance.now() - this.#startedAt) / 1000, text });
      this.#screen.write(text);
    });
  }

  /** Types, as a person would; `\x03` is Ctrl-C. */
  type(keys: string): void {
    this.#shell.stdin.write(keys);
  }

  /** The lines of the screen up to the last that has something. */
  async lines(): Promise<readonly string[]> {
    await new Promise<void>((resolve) => {
      this.#screen.write('', resolve);
    });
    const { active } = this.#screen.buffer;
    const lines = Array.from(
      { length: rows },
      (_, row) => active.getLine(row)?.translateToString(true).trimEnd() ?? '',
    );
    return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
  }

  /** Waits until a line of the screen is as wanted. */
  async shows(isWanted: (lines: readonly string[]) => boolean, what: string): Promise<void> {
    const look = async (): Promise<void> => {
      while (!isWanted(await this.lines())) await once(this.#shell.stdout, 'data');
    };
    await within(look(), what, { detail: () => this.outputs.map(({ text }) => text).join('') });
  }

  /** Gives a command, and waits for the next prompt. */
  async run(command: string): Promise<void> {
    const before = this.#prompts(await this.lines());
    this.type(`${command}\n`);
    await this.shows((lines) => this.#prompts(lines) > before && this.isReady(lines), `${command} to end`);
  }

  /** The shell waits for a command. */
  isReady(lines: readonly string[]): boolean {
    return lines.at(-1) === this.prompt.trimEnd();
  }

  #prompts(lines: readonly string[]): number {
    return lines.filter((line) => line.startsWith(this.prompt.trimEnd())).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell.stdin.end('\nexit\n');
    await this.#ended;
    this.#screen.dispose();
  }
}
