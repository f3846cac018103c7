import { LogFile, logLine, type Log } from '../log-file.js';

/** Those of ovirt-img; nothing is told at `debug` that is not told at `info`. */
export const logLevels = ['debug', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What happens besides the progress, for whoever has to find out why. Never a password, token or ticket. */
export class ClientLog {
  readonly #levelIndex: number;

  private constructor(
    level: LogLevel,
    private readonly log: Log,
  ) {
    this.#levelIndex = logLevels.indexOf(level);
  }

  /** @param logFile entries are added to its end; standard error when absent */
  static open({ logFile, logLevel }: { logFile?: string | undefined; logLevel: LogLevel }): ClientLog {
    return new ClientLog(logLevel, logFile === undefined ? standardError : new LogFile(logFile));
  }

  info(words: string): void {
    this.#log('info', words);
  }

  warning(words: string): void {
    this.#log('warning', words);
  }

  error(words: string): void {
    this.#log('error', words);
  }

  #log(level: LogLevel, words: string): void {
    if (logLevels.indexOf(level) < this.#levelIndex) return;
    this.log.write(`${level.toUpperCase()} ${words}`);
  }
}

const standardError: Log = {
  write(words) {
    process.stderr.write(logLine(words));
  },
};
