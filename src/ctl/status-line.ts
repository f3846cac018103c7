/** Where progress is shown. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const backToStart = '\r';
const clearToEnd = '\u001b[K';

/** How far something is: in one line that changes on a terminal, and elsewhere in a line now and then. */
export class StatusLine {
  #printed = '';

  constructor(private readonly output: ProgressOutput) {}

  /** @param isDue whether it is time for another line, where each stays */
  show(line: string, isDue: boolean): void {
    if (this.output.isTTY === true) {
      this.output.write(`${backToStart}${line}${clearToEnd}`);
    } else if (isDue && line !== this.#printed) {
      this.output.write(`${line}\n`);
      this.#printed = line;
    }
  }

  /** Leaves what was shown last behind. */
  end(): void {
    if (this.output.isTTY === true) this.output.write('\n');
  }
}
