import { appendFileSync } from 'node:fs';

/** Those of ovirt-img; nothing is told at `debug` that is not told at `info`. */
export const logLevels = ['debug', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What happens besides the progress, for whoever has to find out why. Never a password, token or ticket. */
export class ClientLog {
  readonly #levelIndex: number;

  private constructor(
    level: LogLevel,
    private readonly write: (line: string) => void,
  ) {
    this.#levelIndex = logLevels.indexOf(level);
  }

  /** @param file lines are added to its end; standard error when absent */
  static open({ logFile, logLevel }: { logFile?: string | undefined; logLevel: LogLevel }): ClientLog {
    if (logFile === undefined) return new ClientLog(logLevel, (line) => process.stderr.write(line));
    // It shows now, and not in an hour, when it cannot be written.
    appendFileSync(logFile, '');
    return new ClientLog(logLevel, (line) => {
      appendFileSync(logFile, line);
    });
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
    this.write(`${new Date().toISOString()} ${level.toUpperCase()} ${words}\n`);
  }
}
