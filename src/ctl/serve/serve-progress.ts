import type { TicketInfo } from '#sdk';
import type { ProgressOutput } from '../copy-progress.js';
import { formatBytes } from '../ticket-table.js';

const backToStart = '\r';
const clearToEnd = '\u001b[K';
/** Lines of a log stay few. */
const lineMilliseconds = 10_000;

/** Shows what became of a disk: in one line that changes on a terminal, elsewhere a line now and then. */
export class ServeProgress {
  #shownAt = -Infinity;
  #shown = '';
  #last: { readonly bytes: number; readonly atMilliseconds: number } | undefined;

  constructor(private readonly output: ProgressOutput) {}

  show(ticket: TicketInfo): void {
    const now = performance.now();
    const line = this.#line(ticket, now);
    if (this.output.isTTY === true) {
      this.output.write(`${backToStart}${line}${clearToEnd}`);
    } else if (line !== this.#shown && now - this.#shownAt >= lineMilliseconds) {
      this.output.write(`${line}\n`);
      this.#shownAt = now;
    }
    this.#shown = line;
  }

  /** Leaves what was shown last behind. */
  end(ticket: TicketInfo | undefined): void {
    if (ticket !== undefined) {
      this.#shownAt = -Infinity;
      this.show(ticket);
    }
    if (this.output.isTTY === true) this.output.write('\n');
  }

  #line({ transferred = 0, size, connections, active }: TicketInfo, now: number): string {
    const { bytes, atMilliseconds } = this.#last ?? { bytes: transferred, atMilliseconds: now };
    const seconds = (now - atMilliseconds) / 1000;
    this.#last = { bytes: transferred, atMilliseconds: now };
    const done = `${formatBytes(transferred)} of ${formatBytes(size)} transferred`;
    const clients = `${connections} ${connections === 1 ? 'connection' : 'connections'}`;
    if (!active || seconds === 0) return `${done}, ${clients}`;
    return `${done}, ${clients}, ${formatBytes(Math.round((transferred - bytes) / seconds))}/s`;
  }
}
