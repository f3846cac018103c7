import { closeSync, openSync, writeSync } from 'node:fs';

/** Those of ovirt-img; nothing is told at `debug` that is not told at `info`. */
export const logLevels = ['debug', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * What happens besides the progress, for whoever has to find out why: a line with its time for each entry.
 * Never a password, token or ticket: such files are sent around.
 */
export class Log implements Disposable {
  readonly #levelIndex: number;

  private constructor(
    level: LogLevel,
    private readonly file: number | undefined,
  ) {
    this.#levelIndex = logLevels.indexOf(level);
  }

  /** Entries are added to the end of a file, and are there also after a crash. @throws Error */
  static toFile(path: string, level: LogLevel): Log {
    return new Log(level, openSync(path, 'a', 0o600));
  }

  static toStandardError(level: LogLevel): Log {
    return new Log(level, undefined);
  }

  /** Entries are written where progress is shown too. */
  get isShown(): boolean {
    return this.file === undefined;
  }

  info(words: string): void {
    this.#write('info', words);
  }

  warning(words: string): void {
    this.#write('warning', words);
  }

  error(words: string): void {
    this.#write('error', words);
  }

  #write(level: LogLevel, words: string): void {
    if (logLevels.indexOf(level) < this.#levelIndex) return;
    const time = new Date().toISOString();
    const line = `${time} ${level.toUpperCase()} ${words.replaceAll('\n', ' ')}\n`;
    if (this.file === undefined) process.stderr.write(line);
    else writeSync(this.file, line);
  }

  [Symbol.dispose](): void {
    if (this.file !== undefined) closeSync(this.file);
  }
}
