export interface OutputOptions {
  readonly output: 'text' | 'json';
  readonly quiet: boolean;
}

/** What a command has found out: for people a text, for programs an object. */
export interface CommandResult {
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A result on standard output. */
export function printResult({ text, json }: CommandResult, { output, quiet }: OutputOptions): void {
  if (output === 'json') process.stdout.write(`${JSON.stringify({ event: 'result', ...json })}\n`);
  else if (!quiet && text !== '') process.stdout.write(`${text}\n`);
}
