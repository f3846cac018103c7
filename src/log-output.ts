import pino from 'pino';

/** Where lines go. */
export interface LogDestination {
  write(line: string): unknown;
}

/**
 * Gathers the lines of one turn of the event loop into one write, at the end of the turn: under load a write for each line costs more than the
 * line. A process that exits, even by an exception, writes what it has; only SIGKILL can lose the lines of a turn.
 */
export class LogOutput implements LogDestination {
  #lines = '';

  constructor(private readonly destination: LogDestination = pino.destination({ dest: 2, sync: true })) {
    process.once('exit', this.#flush);
  }

  write(line: string): void {
    if (this.#lines === '') setImmediate(this.#flush);
    this.#lines += line;
  }

  readonly #flush = (): void => {
    const lines = this.#lines;
    this.#lines = '';
    if (lines !== '') this.destination.write(lines);
  };
}
