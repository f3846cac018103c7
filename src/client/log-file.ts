import { closeSync, openSync, writeSync } from 'node:fs';

/** Where a command says what it did, for whoever looks later. */
export interface Log {
  /** @param words without a ticket or a password in them: such files are sent around */
  write(words: string): void;
}

export const noLog: Log = { write: () => undefined };

/** An entry: one line, with its time. */
export function logLine(words: string): string {
  return `${new Date().toISOString()} ${words.replaceAll('\n', ' ')}\n`;
}

/** A log that is appended to a file, a line with its time for each entry. It is there also after a crash. */
export class LogFile implements Log, Disposable {
  readonly #file: number;

  /** @throws Error when the file cannot be written to */
  constructor(path: string) {
    this.#file = openSync(path, 'a', 0o600);
  }

  write(words: string): void {
    writeSync(this.#file, logLine(words));
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}
