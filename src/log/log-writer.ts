import { closeSync, constants, openSync } from 'node:fs';
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

/** The owner may write, and its group, such as who reads logs, may read. */
const fileMode = 0o640;
const standardError = 2;

/**
 * The user that the service becomes may have put a link in the place of the log, and root opens it first: no
 * link is followed, so that none leads to a file of somebody else.
 */
const openFlags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

/**
 * Writes lines to standard error or to a file, several at a time: a write for each took a twelfth of the CPU
 * of a small request. Warnings and worse are written at once, with what came before them, and so is all when
 * the process ends. Only a process that is killed loses lines, those of its last 20 ms.
 */
export class LogWriter implements LogDestination {
  #fd: number;
  #destination: ReturnType<typeof pino.destination>;
  #gathered = '';
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param file empty for standard error
   * @throws when the file cannot be opened
   */
  constructor(private readonly file = '') {
    this.#fd = file === '' ? standardError : openSync(file, openFlags, fileMode);
    this.#destination = this.#open();
    process.on('exit', this.#flush);
  }

  /**
   * Goes on in the file that has the name now, when the other was renamed.
   * @throws when it cannot be opened; the log then goes on in the old one
   */
  reopen(): void {
    if (this.file === '') return;
    const fd = openSync(this.file, openFlags, fileMode);
    this.#flush();
    const old = this.#fd;
    this.#fd = fd;
    this.#destination = this.#open();
    closeSync(old);
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
    return pino.destination({ fd: this.#fd, sync: true }).on('error', () => {
      this.#destination = this.#open();
    });
  }
}
