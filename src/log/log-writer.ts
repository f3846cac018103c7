import pino from 'pino';

/** Where lines go. */
export interface LogDestination {
  /** @param level pino's number for the level of the record */
  write(line: string, level: number): unknown;
}

/**
 * How long lines are gathered: a busy service then writes 50 times a second instead of once for each request.
 */
const gatheredMilliseconds = 20;

/** Warnings and worse. */
const urgentLevel = pino.levels.values['warn'] ?? 0;

/**
 * Gathered lines are written at once when they are this long together, so that memory holds no more of them.
 */
const gatheredCharactersMax = 64 * 1024;

/**
 * Writes lines to standard error, several at a time: a write for each took a twelfth of the CPU of a small
 * request. Warnings and worse are written at once, with what came before them, and so is everything when the
 * process ends. Only a process that is killed loses lines, those of its last 20 ms.
 */
export class LogWriter implements LogDestination {
  #destination = this.#open();
  #gathered = '';
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    process.on('exit', this.#flush);
  }

  write(line: string, level: number): void {
    this.#gathered += line;
    if (level >= urgentLevel || this.#gathered.length >= gatheredCharactersMax) this.#flush();
    else this.#timer ??= setTimeout(this.#flush, gatheredMilliseconds).unref();
  }

  readonly #flush = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#gathered;
    this.#gathered = '';
    if (lines !== '') this.#destination.write(lines);
  };

  /**
   * A line that cannot be written is lost, and the next one is tried anew: a full disk under the log must
   * not end transfers (docs/protocol.md, "The process lives"), and there is nowhere to tell of it. A
   * destination that failed would keep its lines without bound.
   */
  #open(): ReturnType<typeof pino.destination> {
    return pino.destination({ dest: 2, sync: true }).on('error', () => {
      this.#destination = this.#open();
    });
  }
}
